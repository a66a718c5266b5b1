"""Folders in Hugging Face's layout that hold SAM, SAM 2 or EdgeTAM, opened by ``transformers``.

Three files of a folder count: ``config.json`` (how the network is built), ``preprocessor_config.json`` (how
an image becomes its input) and ``model.safetensors`` (its weights). No other file is opened, none is a
pickle, nothing is downloaded, and no code that a folder may bring is run.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from spotlabel.labelers.base import FolderRules, Settings
from spotlabel.labelers.errors import LabelerError, invalid_settings
from spotlabel.labelers.learned.facts import Positive, Triple

NAMES = (CONFIG, PREPROCESSOR, WEIGHTS) = ("config.json", "preprocessor_config.json", "model.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PARTS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
"""Of a configuration: what segments one image. The video models' memory is left out."""


@dataclass(frozen=True)
class Family:
    """Networks that are built and prompted alike.

    Attributes:
        name: of their classes in ``transformers``, without ``Model`` and ``Config``.
        pads: the image keeps its shape in the square input, which is filled up on the right and below; else
            it is stretched.
        sized: the part of the configuration that tells the input's side.
    """

    name: str
    pads: bool
    sized: str


_SAM2 = Family("Sam2", pads=False, sized="prompt_encoder_config")
_EDGETAM = Family("EdgeTam", pads=False, sized="prompt_encoder_config")
FAMILIES: Mapping[str, Family] = {
    "sam": Family("Sam", pads=True, sized="vision_config"),
    "sam2": _SAM2,
    "sam2_video": _SAM2,
    "edgetam": _EDGETAM,
    "edgetam_video": _EDGETAM,
}
"""By ``model_type``: Kirillov et al., "Segment Anything", ICCV 2023; Ravi et al., "SAM 2: Segment anything in
images and videos", ICLR 2025, and its release 2.1; Zhou et al., "EdgeTAM: On-device track anything model",
CVPR 2025. The last two are published as video models, whose weights for one image are the same."""


class Preprocessor(Settings):
    """What ``preprocessor_config.json`` says of the image; the rest is the same for all of a family."""

    model_config = ConfigDict(extra="ignore")

    size: Mapping[str, int]
    """Side of the input, px, under ``longest_edge`` or ``height`` and ``width``."""
    image_mean: Triple
    """Red, green and blue, of colours from 0 to 1."""
    image_std: tuple[Positive, Positive, Positive]
    """Likewise."""
    rescale_factor: Positive = 1 / 255
    """What makes colours from 0 to 255 those."""
    resample: Literal[2] = 2
    """How it is scaled: bilinear."""
    do_resize: Literal[True] = True
    do_rescale: Literal[True] = True
    do_normalize: Literal[True] = True


class _Configuration(Settings):
    """What is needed of ``config.json`` before ``transformers`` reads it."""

    model_config = ConfigDict(extra="ignore")

    model_type: str
    vision_config: dict[str, Any] = Field({})
    prompt_encoder_config: dict[str, Any] = Field({})
    mask_decoder_config: dict[str, Any] = Field({})


@dataclass(frozen=True)
class Checkpoint:
    """A network, ready to be asked.

    Attributes:
        network: the module of ``transformers``, float32, on its device.
        family: how it is prompted.
        preprocessor: how an image becomes its input.
        side: of its square input, px.
    """

    network: Any
    family: Family
    preprocessor: Preprocessor
    side: int


def lacking(names: Collection[str]) -> str:
    """What a folder with these names lacks, and what to do, in a line; empty if it can be opened."""
    missing = [name for name in NAMES if name not in names]
    if not missing:
        return ""
    problem = f"lacks {' and '.join(missing)}"
    if WEIGHTS in missing:
        if f"{WEIGHTS}.index.json" in names:
            return f"{problem}: its weights are in several files; save them as one (max_shard_size)"
        if pickles := sorted(name for name in names if name.endswith(_PICKLES)):
            return f"{problem}: {pickles[0]} is a pickle, which is never opened; save it as safetensors"
    return f"{problem}; expected SAM, SAM 2 or EdgeTAM in Hugging Face's layout (docs/learned.md)"


FOLDERS = FolderRules(NAMES, lacking, ("safetensors", "torch", "transformers"))
"""How the learned labelers take folders."""


def opened(folder: Path, device: Literal["cpu", "cuda"]) -> Checkpoint:
    """Open a folder.

    Args:
        folder: has the three files.
        device: where the network will run.

    Raises:
        LabelerError: torch, transformers or safetensors is not installed or too old, there is no such device,
            or the files cannot be used.
        OSError: a file cannot be read.
    """
    try:
        said = _Configuration.model_validate(_json(folder / CONFIG))
    except ValidationError as error:
        raise invalid_settings(f"network: {CONFIG}", error) from error
    try:
        preprocessor = Preprocessor.model_validate(_json(folder / PREPROCESSOR))
    except ValidationError as error:
        raise invalid_settings(f"network: {PREPROCESSOR}", error) from error
    family = FAMILIES.get(said.model_type)
    if family is None:
        raise LabelerError(
            f"network: {CONFIG}: model_type: expected one of {', '.join(FAMILIES)}, got {said.model_type!r}"
        )
    torch, transformers, safetensors = _libraries()
    if device == "cuda" and not torch.cuda.is_available():
        raise LabelerError(
            "device: cuda cannot be used here (driver or CUDA build of torch missing); write cpu"
        )
    config = _config(transformers, family, said)
    side = _side(getattr(config, family.sized).image_size, preprocessor)
    try:
        weights = safetensors.torch.load_file(folder / WEIGHTS)
    except safetensors.SafetensorError as error:
        raise LabelerError(f"network: {WEIGHTS} is damaged: {_line(error)}") from error
    network = _filled(torch, transformers, family, config, weights)
    return Checkpoint(network.eval().to(device), family, preprocessor, side)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise LabelerError(f"network: {path.name} is no JSON: {_line(error)}") from error


def _libraries() -> tuple[Any, Any, Any]:
    """torch, transformers and safetensors."""
    names = ("torch", "transformers", "safetensors", "safetensors.torch")
    try:
        torch, transformers, safetensors, _ = map(importlib.import_module, names)
    except ImportError as error:
        raise LabelerError(
            f"a folder needs transformers, which cannot be imported: {_line(error)} "
            "(pip install 'spotlabel[sam]')"
        ) from error
    return torch, transformers, safetensors


def _config(transformers: Any, family: Family, said: _Configuration) -> Any:
    """The configuration of the network that segments one image."""
    made = getattr(transformers, f"{family.name}Config", None)
    if made is None or not hasattr(transformers, f"{family.name}Model"):
        raise LabelerError(
            f"network: {CONFIG}: model_type {said.model_type} needs a newer transformers than "
            f"{transformers.__version__} (pip install --upgrade transformers)"
        )
    with _told(), _alone(transformers):
        return made(**{part: getattr(said, part) for part in _PARTS})


def _side(size: Any, preprocessor: Preprocessor) -> int:
    """Side of the input; the two files have to agree."""
    sides = {*(size if isinstance(size, (list, tuple)) else [size]), *preprocessor.size.values()}
    if len(sides) != 1 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise LabelerError(
            f"network: {PREPROCESSOR}: size: expected the network's, a square of {size} px, got "
            f"{dict(preprocessor.size)}"
        )
    return int(sides.pop())


def _filled(torch: Any, transformers: Any, family: Family, config: Any, weights: Mapping[str, Any]) -> Any:
    """The network with its weights: all that it has and no others."""
    made = getattr(transformers, f"{family.name}Model")
    with _told(), _alone(transformers):
        network, report = made.from_pretrained(
            None, config=config, state_dict=dict(weights), dtype=torch.float32, local_files_only=True,
            trust_remote_code=False, ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
    for part, problem in (
        ("missing_keys", "it lacks"),
        ("unexpected_keys", "the network has no"),
        ("mismatched_keys", "of another shape is"),
    ):
        if names := sorted(name if isinstance(name, str) else name[0] for name in report[part]):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise LabelerError(f"network: {WEIGHTS} does not fit {CONFIG}: {problem} {names[0]}{more}")
    return network


@contextmanager
def _told() -> Iterator[None]:
    """What transformers cannot make of a configuration is told in a line."""
    try:
        yield
    except ImportError as error:  # EdgeTAM's backbone comes from timm
        raise LabelerError(f"network: needs a package that is not installed: {_line(error)}") from error
    except Exception as error:  # of any class, whatever a wrong value leads to
        raise LabelerError(f"network: {CONFIG} cannot be used: {_line(error)}") from error


@contextmanager
def _alone(transformers: Any) -> Iterator[None]:
    """Inside, transformers reports nothing, since what matters is raised, and fetches nothing."""
    hub: Any = importlib.import_module("huggingface_hub.constants")
    logging = transformers.utils.logging
    level, bars, offline = logging.get_verbosity(), logging.is_progress_bar_enabled(), hub.HF_HUB_OFFLINE
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    hub.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = offline
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__

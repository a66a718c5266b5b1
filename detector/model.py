"""A detector as a file: safetensors with a line that says which network it is. Nothing in it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from safetensors import SafetensorError
from torch import Tensor, nn

from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.contract import Detector
from spotlabel.detector.families import check_backbone, family_of, own_settings
from spotlabel.detector.family import Options
from spotlabel.detector.tensor_file import DamagedError, read, write
from spotlabel.pipeline.errors import RecipeError

FORMAT = "spotlabel-model 1"


def _known_preset(name: str) -> str:
    family_of(name)
    return name


PresetName = Annotated[str, AfterValidator(_known_preset)]
"""A preset of one of :data:`spotlabel.detector.families.FAMILIES`."""


_LEFT_OUT = ("options", "sides")
"""Fields that files do not hold where there is nothing in them."""


class Choice(BaseModel):
    """Which detector: a preset, the backbone it stands on, and settings that its family has of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    place: ClassVar[str] = ""
    """Where the values are from, for messages: ``training.`` of a recipe."""

    preset: PresetName = "spotnet-multitask"
    """Network: centernet, spotnet-multitask, spotnet-released, spotnet-paper or spotnet2. The default has no
    attention; recipes that come with spotlabel ask for ``spotnet-paper``, which has."""
    backbone: str = Field(default="hourglass-104", validate_default=True)
    """What the heads stand on."""
    options: SerializeAsAny[Options] = Field(default=Options(), validate_default=True)
    """Settings of the preset's family; CenterNet and the SpotNets have none."""

    @field_validator("backbone")
    @classmethod
    def _fits(cls, backbone: str, info: ValidationInfo) -> str:
        return check_backbone(info.data["preset"], backbone) if "preset" in info.data else backbone

    @field_validator("options", mode="plain")
    @classmethod
    def _options_of_family(cls, values: object, info: ValidationInfo) -> Options:
        if not {"preset", "backbone"} <= info.data.keys():
            return Options()  # one of them is told as the error
        preset, backbone = info.data["preset"], info.data["backbone"]
        options = own_settings(preset, "options", values, f"{cls.place}options")
        return family_of(preset).settled(preset, backbone, options)

    @model_serializer(mode="wrap")
    def _without_empty_options(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = dump(self)
        return {key: value for key, value in data.items() if key not in _LEFT_OUT or value}


class ModelSpec(Choice):
    """Everything that decides the shape of a detector, and what its classes are called."""

    preset: PresetName = "spotnet-released"
    class_names: tuple[str, ...] = Field(default=("object",), min_length=1)
    """Class k of what is found is called ``class_names[k]``."""
    sides: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """Pixels of the shorter side that pictures are scaled to before it sees them, and most pixels of the
    longer one; None leaves them their resolution."""

    def build(self, weights: Options | None = None) -> Detector:
        """The network, with random weights.

        Args:
            weights: factors of the loss terms, of the family's type; its defaults if not given.
        """
        family = family_of(self.preset)
        return family.build(self.preset, self.backbone, len(self.class_names), self.options, weights)


def save_model(
    path: Path, network: nn.Module, spec: ModelSpec, weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write a detector; the file stands under its name whole or not at all.

    Args:
        path: file to write, usually ``*.safetensors``; its folder must exist.
        network: the detector (not wrapped, not compiled).
        spec: what it is.
        weights: values to write instead of the network's own, by the names of its ``state_dict`` (averaged
            weights, for example).
    """
    tensors = {**network.state_dict(), **(weights or {})}
    write(path, FORMAT, spec.model_dump(mode="json"), tensors)


def load_model(path: Path | str) -> tuple[Detector, ModelSpec]:
    """Read a detector, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: no such file, not a model of spotlabel, damaged, or weights that are not those of its
            network.
    """
    path = Path(path)
    spec, tensors = read_model(path)
    with torch.device("meta"):  # another network's weights may be much smaller than this one's
        wanted = spec.build().state_dict()
    _check_names(path, wanted, tensors, spec)
    network = spec.build()
    network.load_state_dict(tensors)
    return network.eval(), spec


def read_model(path: Path) -> tuple[ModelSpec, dict[str, Tensor]]:
    """What a model file says it is, and its tensors.

    Raises:
        CheckpointError: no such file, not a model of spotlabel, or a damaged one.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such model file")
    try:
        facts, tensors = read(path, FORMAT)
    except (SafetensorError, OSError) as error:
        if _is_pickle(path):
            advice = (
                f"spotlabel import checkpoint {path} {path.with_suffix('.safetensors').name} makes one of it"
            )
            raise CheckpointError(
                f"{path}: not readable as safetensors: a checkpoint of PyTorch ({advice})"
            ) from error
        raise CheckpointError(f"{path}: not readable as safetensors: {error}") from error
    except DamagedError as error:
        raise CheckpointError(f"{path}: damaged: {error}; copy or train it again") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: not a model of spotlabel ({error})") from error
    try:
        return ModelSpec.model_validate(facts), tensors
    except (ValidationError, RecipeError) as error:
        raise CheckpointError(
            f"{path}: made by another version of spotlabel: {_first_line(error)}"
        ) from error


def _check_names(
    path: Path, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], spec: ModelSpec
) -> None:
    for name, tensor in wanted.items():
        if name not in found:
            raise CheckpointError(
                f"{path}: has no weights {name}, which {spec.preset} on {spec.backbone} needs"
            )
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: {name} has shape {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
            )
    if extra := sorted(set(found) - set(wanted)):
        raise CheckpointError(
            f"{path}: holds {extra[0]}, which {spec.preset} on {spec.backbone} does not have"
        )


def _is_pickle(path: Path) -> bool:
    """Whether a file begins like what ``torch.save`` writes: a zip archive, or before 1.6 a pickle."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((b"PK\x03\x04", b"\x80\x02"))
    except OSError:
        return False


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

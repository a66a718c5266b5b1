"""Import of public CenterNet and SpotNet checkpoints by their parameter names."""

from __future__ import annotations

import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from torch import Tensor, nn

from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.regular import check_regular

COUNTER = "num_batches_tracked"
_LEGACY_PICKLES = 5  # magic number, protocol, machine, tensors, keys of the storages that follow
_NAME_LIMIT = 1000  # characters of a class that a pickle names; those of tensors have less than 50


class CheckpointError(SpotlabelError):
    """A checkpoint file that cannot be used."""


@dataclass(frozen=True)
class ImportReport:
    """What became of the tensors of a checkpoint; batch-norm counters are left out of all lists.

    Attributes:
        copied: names copied into the model.
        skipped: names present on both sides with different shapes; the model keeps its own values.
        new: names the checkpoint lacks; the model keeps its own values.
        unknown: names the model lacks; ignored.
    """

    copied: tuple[str, ...]
    skipped: tuple[str, ...]
    new: tuple[str, ...]
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        total = len(self.copied) + len(self.skipped) + len(self.unknown)
        return (
            f"copied {len(self.copied)} of {total} tensors, {len(self.skipped)} skipped for their shape, "
            f"{len(self.unknown)} unknown to the model, {len(self.new)} new in the model"
        )


def public_name(name: str) -> str:
    """Name of a model's parameter in public checkpoints, which know no ``backbone.`` prefix."""
    return name.removeprefix("backbone.")


def read_public_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors of a public checkpoint, zip or legacy pickle, by public name.

    Nothing in the file is executed: only tensors and plain containers are accepted.

    Args:
        path: file holding ``{"state_dict": {name: tensor}, ...}``, the same under ``model`` (torchvision's
            scripts), or the inner dict alone.

    Returns:
        Tensors on the CPU, a leading ``module.`` removed from their names.

    Raises:
        CheckpointError: the file is missing, damaged, no checkpoint, holds NaN, or asks for code to be run.
    """
    try:
        check_regular(path)
        _check_names(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: refused: {_refusal(error)}") from error
    except Exception as error:  # damage makes torch's reader raise whatever its code comes to
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({_first_line(error)})") from error
    return _tensors(path, content)


def import_public(model: nn.Module, tensors: Mapping[str, Tensor]) -> ImportReport:
    """Copy every tensor whose public name and shape fit into ``model``.

    COCO weights (80 classes) in a model of other classes leave its last heatmap layer as initialised.

    Raises:
        CheckpointError: not one tensor fits.
    """
    state = {public_name(name): tensor for name, tensor in model.state_dict().items()}
    shared = [name for name in state if name in tensors]
    fitting = [name for name in shared if state[name].shape == tensors[name].shape]
    copied = _without_counters(fitting)
    if not copied:
        raise CheckpointError("the checkpoint has no tensor that fits this network (another architecture?)")
    with torch.no_grad():
        for name in fitting:
            state[name].copy_(tensors[name])
    return ImportReport(
        copied=copied,
        skipped=_without_counters([name for name in shared if name not in set(fitting)]),
        new=_without_counters([name for name in state if name not in tensors]),
        unknown=_without_counters([name for name in tensors if name not in state]),
    )


def load_public_checkpoint(model: nn.Module, path: Path) -> ImportReport:
    """:func:`read_public_checkpoint`, then :func:`import_public`; errors name the file."""
    tensors = read_public_checkpoint(path)
    try:
        return import_public(model, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _tensors(path: Path, content: object) -> dict[str, Tensor]:
    state = _inner(content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path}: expected a dict of tensors, or one under 'state_dict'")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: {name!r}: expected a named tensor, found {type(value).__name__}")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {name}: the tensor holds NaN or infinity")
    return {_without_wrapper(name): value for name, value in state.items()}


def _inner(content: dict[object, object]) -> object:
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), dict):
            return content[key]
    return content


def _without_wrapper(name: str) -> str:
    # DataParallel wrote "module."; "module_list" is a real name that only looks like it.
    return name if name.startswith("module_list") else name.removeprefix("module.")


def _without_counters(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name in names if not name.endswith(COUNTER))


def _check_names(path: Path) -> None:
    # torch searches its own error text, which repeats the name, in time that grows with the square of it.
    try:
        endless = any(len(name) > _NAME_LIMIT for stream in _pickles(path) for name in _names(stream))
    except (ValueError, zipfile.BadZipFile):  # damage: torch says of what kind
        return
    if endless:
        raise pickle.UnpicklingError("a name without end")


def _names(stream: IO[bytes]) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    with archive.open(name) as stream:
                        yield stream
        return
    with path.open("rb") as stream:
        for _ in range(_LEGACY_PICKLES):
            yield stream


def _refusal(error: pickle.UnpicklingError) -> str:
    # torch's own text advises to load without the check; only the name it stumbled over is worth telling.
    found = re.search(r"GLOBAL\s+([\w.]+)", str(error))
    if found:
        return f"it asks for {found[1]}, which is no part of a tensor; nothing was executed"
    return "not a checkpoint of plain tensors"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__

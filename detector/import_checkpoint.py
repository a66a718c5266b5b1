"""Public checkpoints as detectors of spotlabel: what the file does not say is inferred or asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, ImportReport, read_public_checkpoint
from spotlabel.detector.contract import Detector
from spotlabel.detector.families import FAMILIES
from spotlabel.detector.family import Family, Recognised
from spotlabel.detector.model import ModelSpec


class Imported(NamedTuple):
    """A public checkpoint as a detector.

    Attributes:
        network: with the weights of the file, all of them.
        spec: what it is.
        report: what was copied.
    """

    network: Detector
    spec: ModelSpec
    report: ImportReport


def import_checkpoint(
    path: Path, class_names: Sequence[str] = (), preset: str | None = None, backbone: str | None = None
) -> Imported:
    """Make a detector of a public checkpoint: CenterNet, the SpotNets, torchvision's Faster R-CNN.

    Every weight of the detector has to be in the file, and the file may hold no others: with a part of them
    it would find something else than what it was trained to.

    Args:
        path: the checkpoint; see :func:`spotlabel.detector.checkpoint.read_public_checkpoint`.
        class_names: one per class, in the order of the file's; empty takes COCO's where their number is
            COCO's, and ``object`` for a single class.
        preset: the detector, of the same family as the one that names and shapes tell; None takes that one.
        backbone: what it stands on; None infers it.

    Raises:
        CheckpointError: the file cannot be read, holds another network, or says too little.
    """
    tensors = read_public_checkpoint(path)
    try:
        return _imported(tensors, tuple(class_names), Chosen(preset, backbone))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


class Chosen(NamedTuple):
    """What the user says of a checkpoint; None is inferred."""

    preset: str | None
    backbone: str | None


def _imported(tensors: Mapping[str, Tensor], class_names: tuple[str, ...], chosen: Chosen) -> Imported:
    for family in FAMILIES:
        found = family.recognise(tensors, named=bool(class_names))
        if found is not None:
            spec = _spec(family, found, _names(found, class_names), chosen)
            network = spec.build().eval()
            return Imported(network, spec, _copied(family, network, found, spec))
    raise CheckpointError(
        "holds none of the detectors that can be imported: CenterNet and SpotNet on hourglasses "
        "(hm.0.1.weight), torchvision's Faster R-CNN on a ResNet with a pyramid (rpn.head.conv...)"
    )


def _spec(family: Family, found: Recognised, names: tuple[str, ...], chosen: Chosen) -> ModelSpec:
    preset, backbone = chosen.preset or found.preset, chosen.backbone or found.backbone
    if preset not in family.presets:
        known = ", ".join(family.presets)
        raise CheckpointError(f"holds {found.preset}; preset {preset}: expected one of {known}")
    if not backbone:
        known = ", ".join(family.backbones)
        raise CheckpointError(f"holds {found.preset} on a backbone that is none of {known}")
    try:
        return ModelSpec(preset=preset, backbone=backbone, class_names=names, sides=found.sides)
    except ValidationError as error:
        problem = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise CheckpointError(f"backbone {backbone}: {problem}") from error


def _names(found: Recognised, given: tuple[str, ...]) -> tuple[str, ...]:
    if given and len(given) != found.classes:
        raise CheckpointError(
            f"finds {found.classes} classes, and {len(given)} are named: {', '.join(given)}"
        )
    if len(set(given)) < len(given) or not all(given):
        raise CheckpointError(f"expected names of classes that differ, found {', '.join(given)}")
    if not (given or found.class_names):
        raise CheckpointError(
            f"finds {found.classes} classes and does not say what they are called (--classes A,B,...)"
        )
    return given or found.class_names


def _copied(family: Family, network: Detector, found: Recognised, spec: ModelSpec) -> ImportReport:
    report = family.load_public(network, found.tensors)
    strange = tuple(name for name in report.unknown if not name.startswith(family.idle))
    for problem, names in (("lacks", report.new), ("misfits in", report.skipped), ("also holds", strange)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"is not {spec.preset} on {spec.backbone}: it {problem} {names[0]}{more}")
    return report

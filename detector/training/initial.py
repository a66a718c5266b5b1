"""Weights to start from: a model of spotlabel, a public checkpoint of the detector, or ImageNet's."""

from __future__ import annotations

from pathlib import Path

from spotlabel.detector.checkpoint import CheckpointError, read_public_checkpoint
from spotlabel.detector.contract import Detector
from spotlabel.detector.families import family_of
from spotlabel.detector.model import ModelSpec, read_model

IMAGENET = "imagenet"


def load_initial(origin: str, network: Detector, spec: ModelSpec) -> str:
    """Copy every tensor that fits by name and shape.

    Args:
        origin: path of a ``*.safetensors`` written by spotlabel or of a public checkpoint (``*.pth``), or
            where the backbone has ImageNet weights ``imagenet`` (downloads) or ``imagenet:FILE``.
        network: receives the weights.
        spec: what the network is.

    Returns:
        One line that says what was copied.

    Raises:
        CheckpointError: the file cannot be read, or nothing in it fits.
    """
    family = family_of(spec.preset)
    kind, _, file = origin.partition(":")
    if kind == IMAGENET:
        report = family.load_imagenet(network, spec.backbone, Path(file) if file else None)
        return f"ImageNet weights into {spec.backbone}: {report}"
    path = Path(origin)
    if path.suffix == ".safetensors":
        found, tensors = read_model(path)
        what = f"{found.preset} on {found.backbone}"
    else:
        tensors, what = read_public_checkpoint(path), "public checkpoint"
    try:
        report = family.load_public(network, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return f"{path.name} ({what}) into {spec.preset} on {spec.backbone}: {report}"

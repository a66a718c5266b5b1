"""Weights to start from: a model of spotlabel, a public CenterNet or SpotNet checkpoint, or ImageNet's."""

from __future__ import annotations

from pathlib import Path

from spotlabel.detector.centernet.checkpoint import (
    CheckpointError,
    import_public,
    public_name,
    read_public_checkpoint,
)
from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.model import ModelSpec, read_model
from spotlabel.detector.networks.imagenet import imagenet_weights, load_imagenet
from spotlabel.detector.networks.resnet import ResNet

IMAGENET = "imagenet"


def load_initial(origin: str, network: CenterNet, spec: ModelSpec) -> str:
    """Copy every tensor that fits by name and shape.

    Args:
        origin: path of a ``*.safetensors`` written by spotlabel or of a public checkpoint (``*.pth``), or
            for ResNet backbones ``imagenet`` (downloads) or ``imagenet:FILE``.
        network: receives the weights.
        spec: what the network is.

    Returns:
        One line that says what was copied.

    Raises:
        CheckpointError: the file cannot be read, or nothing in it fits.
    """
    kind, _, file = origin.partition(":")
    if kind == IMAGENET:
        return _load_imagenet(Path(file) if file else None, network, spec)
    path = Path(origin)
    if path.suffix == ".safetensors":
        found, tensors = read_model(path)
        what = f"{found.preset} on {found.backbone}"
    else:
        tensors, what = read_public_checkpoint(path), "public checkpoint"
    try:
        report = import_public(network, {public_name(name): value for name, value in tensors.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return f"{path.name} ({what}) into {spec.preset} on {spec.backbone}: {report}"


def _load_imagenet(file: Path | None, network: CenterNet, spec: ModelSpec) -> str:
    if not isinstance(network.backbone, ResNet):
        raise CheckpointError(
            f"training.init: ImageNet weights are for ResNet backbones, not {spec.backbone}"
        )
    report = load_imagenet(network.backbone, imagenet_weights(spec.backbone, file))
    return f"ImageNet weights into {spec.backbone}: {report}"

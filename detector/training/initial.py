"""Weights to start from: a model of spotlabel, or a public CenterNet or SpotNet checkpoint."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from detector.model import ModelSpec, read_model
from detector.networks.checkpoint import CheckpointError, import_public, public_name, read_public_checkpoint


def load_initial(path: Path, network: nn.Module, spec: ModelSpec) -> str:
    """Copy every tensor that fits by name and shape.

    Args:
        path: ``*.safetensors`` written by spotlabel, or a public checkpoint (``*.pth``).
        network: receives the weights.
        spec: what the network is.

    Returns:
        One line that says what was copied.

    Raises:
        CheckpointError: the file cannot be read, or nothing in it fits.
    """
    if path.suffix == ".safetensors":
        found, tensors = read_model(path)
        origin = f"{found.preset} on {found.backbone}"
    else:
        tensors, origin = read_public_checkpoint(path), "public checkpoint"
    try:
        report = import_public(network, {public_name(name): value for name, value in tensors.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return f"{path.name} ({origin}) into {spec.preset} on {spec.backbone}: {report}"

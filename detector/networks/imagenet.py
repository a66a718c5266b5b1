"""ImageNet weights for backbones: from a file, or from torchvision or timm where these work.

Neither package is needed (optional: ``pip install spotlabel[pretrained]``), and neither imports beside a
CPU-only build of torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from spotlabel.detector.checkpoint import (
    CheckpointError,
    ImportReport,
    import_public,
    read_public_checkpoint,
)
from spotlabel.detector.networks.resnet import ResNet

FIRST = "conv1.weight"
CLASSIFIER = ("fc.weight", "fc.bias")
NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "vgg16")


def imagenet_weights(name: str, file: Path | None = None) -> dict[str, Tensor]:
    """Public weights by torchvision's parameter names, as published: for RGB images, with the classifier.

    Args:
        name: one of :data:`NAMES`; only used without a file.
        file: ``.safetensors``, or a ``.pth`` of plain tensors; None asks torchvision, then timm, which
            download the weights on first use.

    Raises:
        CheckpointError: the file cannot be used, or neither package can be imported or can get the weights.
        ValueError: there are none of this name.
    """
    if name not in NAMES:
        raise ValueError(f"no ImageNet weights of {name!r}; there are {', '.join(NAMES)}")
    if file is not None:
        return _read_safetensors(file) if file.suffix == ".safetensors" else read_public_checkpoint(file)
    problems = []
    for package, fetch in (("torchvision", _from_torchvision), ("timm", _from_timm)):
        try:
            return fetch(name)
        except (ImportError, OSError, RuntimeError) as error:
            problems.append(f"{package}: {' '.join(str(error).split())[:120] or type(error).__name__}")
    raise CheckpointError(
        f"no ImageNet weights of {name} to be had ({'; '.join(problems)}); "
        "give a file of them, .safetensors or .pth"
    )


def load_imagenet(backbone: ResNet, weights: Mapping[str, Tensor]) -> ImportReport:
    """Copy public weights into the trunk of a backbone.

    Public weights expect RGB images and ours are BGR, so the input channels of the first convolution are
    turned round. The classifier (``fc``) is left out; laterals keep their random weights.

    Args:
        backbone: a ResNet.
        weights: from :func:`imagenet_weights`.

    Returns:
        ``copied``: loaded; ``unknown``: unexpected (the classifier); ``new`` and ``skipped`` are empty.

    Raises:
        CheckpointError: the weights are of another network; the backbone may hold some of them by then.
    """
    turned = dict(weights)
    if FIRST in turned and turned[FIRST].ndim == 4:
        turned[FIRST] = turned[FIRST].flip(1)
    report = import_public(backbone.trunk, turned)
    strange = [name for name in report.unknown if name not in CLASSIFIER]
    for problem, names in (("lack", report.new), ("misfit in", report.skipped), ("also hold", strange)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"ImageNet weights of another network: they {problem} {names[0]}{more}")
    return report


def _from_torchvision(name: str) -> dict[str, Tensor]:
    models = importlib.import_module("torchvision.models")
    weights = models.get_model_weights(name).DEFAULT
    return dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))


def _from_timm(name: str) -> dict[str, Tensor]:
    timm = importlib.import_module("timm")
    return dict(timm.create_model(f"{name}.tv_in1k", pretrained=True).state_dict())


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file of weights")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not readable as safetensors: {error}") from error
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {name}: the tensor holds NaN or infinity")
    return tensors

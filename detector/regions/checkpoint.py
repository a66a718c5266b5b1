"""Public weights in region-based detectors: torchvision's Faster R-CNN, and ImageNet's in trunk and head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, ImportReport, import_public
from spotlabel.detector.regions.backbones import SingleMap
from spotlabel.detector.regions.network import FasterRcnn

PREDICTOR = "roi_heads.box_predictor."
"""Layers of as many classes as there are: those of COCO's 91 stay out of a detector of others."""
VGG_LAYERS = {"classifier.0.": "roi_heads.box_head.fc6.", "classifier.3.": "roi_heads.box_head.fc7."}
IMAGENET_NAMES = {
    "resnet-50-c4": "resnet50",
    "resnet-101-c4": "resnet101",
    "resnet-50-fpn": "resnet50",
    "resnet-101-fpn": "resnet101",
    "vgg-16": "vgg16",
}
"""What :func:`spotlabel.detector.networks.imagenet.imagenet_weights` calls the weights of our backbones."""
CLASSIFIERS = ("fc.", "classifier.6.")


def load_torchvision(network: FasterRcnn, tensors: Mapping[str, Tensor]) -> ImportReport:
    """Copy the weights of one of torchvision's Faster R-CNNs on a ResNet with a pyramid.

    They expect RGB images and ours are BGR, so the input channels of the first convolution are turned round.

    Args:
        network: a plain detector on a backbone of the same size.
        tensors: by torchvision's names, of its first releases or its later ones.

    Returns:
        What was copied; ``skipped`` holds the predictor where the classes are others, which keeps its random
        weights.

    Raises:
        CheckpointError: the weights are of another network; ours may hold some of them by then.
    """
    renamed = {_plain(name): value for name, value in tensors.items()}
    return _copied(network, _turned(renamed, "body.conv1.weight"), "torchvision's weights", ())


def load_imagenet(network: FasterRcnn, weights: Mapping[str, Tensor]) -> ImportReport:
    """Copy public ImageNet weights into the backbone, and into the head where it is a part of them.

    Args:
        network: a detector on a ResNet or VGG16.
        weights: by torchvision's names.

    Returns:
        ``copied``: loaded; ``new``: what ImageNet knows nothing of (proposals, pyramid, head); ``unknown``:
        the classifier.

    Raises:
        CheckpointError: the weights are of another network; ours may hold some of them by then.
    """
    single = isinstance(network.backbone, SingleMap)
    renamed = {_place(name, single): value for name, value in weights.items()}
    for first in ("body.conv1.weight", "body.features.0.weight"):
        renamed = _turned(renamed, first)
    for tower in network.towers[1:]:
        renamed |= {
            tower + name.removeprefix(network.towers[0]): value
            for name, value in renamed.items()
            if name.startswith(network.towers[0])
        }
    return _copied(network, renamed, "ImageNet weights", CLASSIFIERS, lambda name: name.startswith("body."))


def _plain(name: str) -> str:
    """A torchvision name without ``backbone.`` and what later releases put around convolutions."""
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.").removeprefix("backbone.")
    if name.startswith("fpn."):
        name = (
            name.replace(".0.weight", ".weight").replace(".0.bias", ".bias") if name.count(".") == 4 else name
        )
    return name


def _place(name: str, single: bool) -> str:
    """Where ImageNet's tensor ``name`` goes, in names without ``backbone.``."""
    if single and name.startswith("layer4."):
        return f"roi_heads.box_head.{name}"
    for public, ours in VGG_LAYERS.items():
        if name.startswith(public):
            return ours + name.removeprefix(public)
    return name if name.startswith(CLASSIFIERS) else f"body.{name}"


def _turned(tensors: Mapping[str, Tensor], first: str) -> dict[str, Tensor]:
    """RGB to BGR in the first convolution."""
    found = dict(tensors)
    if first in found and found[first].ndim == 4:
        found[first] = found[first].flip(1)
    return found


def _copied(
    network: FasterRcnn,
    tensors: Mapping[str, Tensor],
    what: str,
    left_out: tuple[str, ...],
    needed: Callable[[str], bool] = lambda _: True,
) -> ImportReport:
    report = import_public(network, tensors)
    lacking = [name for name in report.new if needed(name)]
    misfit = [name for name in report.skipped if not name.startswith(PREDICTOR)]
    strange = [name for name in report.unknown if not (left_out and name.startswith(left_out))]
    for problem, names in (("lack", lacking), ("misfit in", misfit), ("also hold", strange)):
        if names:
            raise CheckpointError(f"{what} of another network: they {problem} {_some(names)}")
    return report


def _some(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")

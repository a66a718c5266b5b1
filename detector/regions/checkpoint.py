"""Weights for region-based detectors: our own, torchvision's Faster R-CNN, ImageNet's."""

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
HIDDEN = "rpn.head.conv."
"""Torchvision's name of the layer that we call ``rpn.head.hidden``: it tells whose weights there are."""
PLAIN = ("body.", "fpn.", "rpn.", "roi_heads.")
"""What the plain detector is made of; attentions have more."""


def load_detector(network: FasterRcnn, tensors: Mapping[str, Tensor]) -> ImportReport:
    """Copy the weights of a whole detector: one of ours, of any classes and attentions, or torchvision's.

    Args:
        network: receives them; a second tower starts from the first where the weights know one alone.
        tensors: by our names, where what fits is copied, or by torchvision's; see :func:`load_torchvision`.

    Raises:
        CheckpointError: nothing fits, or torchvision's weights are of another network.
    """
    if any(name.startswith(HIDDEN) for name in tensors):
        return load_torchvision(network, tensors)
    own = {name.removeprefix("backbone."): value for name, value in tensors.items()}
    return import_public(network, _in_all_towers(network, own))


def load_torchvision(network: FasterRcnn, tensors: Mapping[str, Tensor]) -> ImportReport:
    """Copy the weights of one of torchvision's Faster R-CNNs on a ResNet with a pyramid.

    They expect RGB images and ours are BGR, so the input channels of the first convolution are turned round.

    Args:
        network: a detector on a backbone of the same size; attentions keep their random weights.
        tensors: by torchvision's names, of its first releases or its later ones.

    Returns:
        What was copied; ``skipped`` holds the predictor where the classes are others, which keeps its random
        weights.

    Raises:
        CheckpointError: the weights are of another network; ours may hold some of them by then.
    """
    renamed = _turned({_plain(name): value for name, value in tensors.items()}, "body.conv1.weight")
    return _copied(network, renamed, "torchvision's weights", (), lambda name: name.startswith(PLAIN))


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
    return _copied(network, renamed, "ImageNet weights", CLASSIFIERS, lambda name: name.startswith("body."))


def _plain(name: str) -> str:
    """A torchvision name without ``backbone.`` and what later releases put around convolutions."""
    if name.startswith(HIDDEN):
        return f"rpn.head.hidden.{name.rpartition('.')[2]}"
    name = name.removeprefix("backbone.")
    # fpn.inner_blocks.2.0.weight; in the first releases without the 0.
    if name.startswith("fpn.") and name.count(".") == 4:
        block, _, kind = name.rpartition(".0.")
        return f"{block}.{kind}"
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


def _in_all_towers(network: FasterRcnn, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the first tower for the others, too, unless they have their own."""
    first, *others = network.towers
    copies = {
        other + name.removeprefix(first): value
        for other in others
        for name, value in tensors.items()
        if name.startswith(f"{first}.")
    }
    return {**copies, **tensors}


def _copied(
    network: FasterRcnn,
    tensors: Mapping[str, Tensor],
    what: str,
    left_out: tuple[str, ...],
    needed: Callable[[str], bool],
) -> ImportReport:
    report = import_public(network, _in_all_towers(network, tensors))
    lacking = [name for name in report.new if needed(name)]
    misfit = [name for name in report.skipped if not name.startswith(PREDICTOR)]
    strange = [name for name in report.unknown if not (left_out and name.startswith(left_out))]
    for problem, names in (("lack", lacking), ("misfit in", misfit), ("also hold", strange)):
        if names:
            raise CheckpointError(f"{what} of another network: they {problem} {_some(names)}")
    return report


def _some(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")

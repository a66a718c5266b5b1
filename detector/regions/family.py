"""Faster R-CNN and what attentions make of it (ALS, IAN, LGA-RCNN) as a family of detectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, ImportReport
from spotlabel.detector.contract import Detector
from spotlabel.detector.family import Family, Options
from spotlabel.detector.networks.imagenet import imagenet_weights
from spotlabel.detector.regions.backbones import REGION_BACKBONES
from spotlabel.detector.regions.checkpoint import load_imagenet, load_torchvision, twin_towers
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.options import LossWeights, RegionOptions, changed
from spotlabel.detector.regions.presets import REGION_PRESETS

IMAGENET = {
    "resnet-50-c4": "resnet50",
    "resnet-50-fpn": "resnet50",
    "resnet-101-c4": "resnet101",
    "resnet-101-fpn": "resnet101",
    "vgg-16": "vgg16",
}
"""Public name of the weights that a backbone starts from; their batch norms are frozen, so it needs them."""

CLASSIC: dict[str, object] = {
    "optimiser": "sgd",
    "schedule": "step",
    "drop": 0.1,
    "warm_up": 500,
    "clip": 0.0,
    "ema": 0.0,
}
"""What all published trainings of this family have in common."""

BASES: dict[str, dict[str, object]] = {
    # Something real on a CPU in minutes, from random weights.
    "small": {
        "preset": "faster-rcnn",
        "backbone": "small-c4",
        "canvas": (256, 448),
        "extent": 0.5,
        "every": 2,
        "every_held_out": 8,
        "epochs": 14,
        "batch": 4,
        "optimiser": "adamw",
        "lr": 1e-3,
        "schedule": "cosine",
        "warm_up": 40,
        "clip": 10.0,
        "ema": 0.99,
        "workers": 0,
        "remember": 400,
        "options": {"als": {"hidden": 128}, "lga": {"hidden": 32, "guide_width": 128}},
    },
    # ResNet-101 on one feature map, two pictures a step: Huang et al., WACV 2020, section 4.
    "voc": {
        **CLASSIC,
        "preset": "faster-rcnn",
        "backbone": "resnet-101-c4",
        "init": "imagenet",
        "epochs": 8,
        "batch": 2,
        "lr": 2e-3,
        "lr_batch": 2,
        "milestones": (6 / 8,),
    },
    # A pyramid on ResNet-50, 16 pictures a step: the same paper.
    "coco": {
        **CLASSIC,
        "preset": "faster-rcnn",
        "backbone": "resnet-50-fpn",
        "init": "imagenet",
        "epochs": 12,
        "batch": 16,
        "lr": 1e-2,
        "lr_batch": 16,
        "milestones": (8 / 12, 11 / 12),
    },
}


class RegionFamily(Family):
    """See :mod:`spotlabel.detector.regions.presets`; every preset goes with every backbone."""

    presets = tuple(REGION_PRESETS)
    backbones = tuple(REGION_BACKBONES)
    weights = LossWeights
    options = RegionOptions
    bases = BASES

    def defaults(self, preset: str, backbone: str | None) -> Mapping[str, object]:
        """Those of base ``coco``; no ImageNet weights where the backbone has none."""
        chosen = {**BASES["coco"], "preset": preset}
        return chosen if backbone is None or backbone in IMAGENET else {**chosen, "init": ""}

    def settled(self, preset: str, backbone: str, options: Options) -> Options:
        """The backbone's usual options where nothing else was said."""
        said = {name: getattr(options, name) for name in options.model_fields_set}
        return changed(REGION_BACKBONES[backbone].options, **said)

    def build(
        self, preset: str, backbone: str, classes: int, options: Options, weights: Options | None = None
    ) -> Detector:
        """See :meth:`spotlabel.detector.family.Family.build`."""
        assert isinstance(options, RegionOptions)
        assert weights is None or isinstance(weights, LossWeights)
        parts = REGION_BACKBONES[backbone].build(options)
        return REGION_PRESETS[preset](parts, classes, options, weights)

    def load_own(self, network: Detector, tensors: Mapping[str, Tensor]) -> ImportReport:
        """Weights of any preset; a tower of classes that is not among them starts as the other tower."""
        return twin_towers(network, super().load_own(network, tensors))

    def load_public(self, network: Detector, tensors: Mapping[str, Tensor]) -> ImportReport:
        """Weights of torchvision's Faster R-CNN."""
        assert isinstance(network, FasterRcnn)
        return twin_towers(network, load_torchvision(network, tensors))

    def load_imagenet(self, network: Detector, backbone: str, file: Path | None) -> ImportReport:
        """Start trunk, and what of the head is a part of it, from ImageNet weights."""
        assert isinstance(network, FasterRcnn)
        if backbone not in IMAGENET:
            known = ", ".join(IMAGENET)
            raise CheckpointError(f"training.init: ImageNet weights are for {known}, not {backbone}")
        return twin_towers(network, load_imagenet(network, imagenet_weights(IMAGENET[backbone], file)))

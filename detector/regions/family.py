"""Faster R-CNN and the attentions on it as a family of detectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, ImportReport
from spotlabel.detector.contract import Detector
from spotlabel.detector.family import Family, Options, Recognised
from spotlabel.detector.networks.imagenet import imagenet_weights
from spotlabel.detector.regions.backbones import REGION_BACKBONES
from spotlabel.detector.regions.checkpoint import IMAGENET_NAMES, load_detector, load_imagenet
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.options import RegionOptions, RegionWeights, changed
from spotlabel.detector.regions.presets import REGION_PRESETS, build_region_detector
from spotlabel.detector.regions.recognise import recognise
from spotlabel.pipeline.errors import RecipeError

PYRAMIDS = ("faster-rcnn", "lga")
"""Presets that stand on a pyramid unless told otherwise; the papers of the others have one feature map."""

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
        "options": {"als": {"hidden": 128}, "lga": {"hidden": 32, "guide": "pooled"}},
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
    weights = RegionWeights
    options = RegionOptions
    bases = BASES

    def defaults(self, preset: str, backbone: str | None) -> Mapping[str, object]:
        """The base of the paper's benchmark; no ImageNet weights where the backbone has none."""
        chosen = {**BASES["coco" if preset in PYRAMIDS else "voc"], "preset": preset}
        return chosen if backbone is None or backbone in IMAGENET_NAMES else {**chosen, "init": ""}

    def settled(self, preset: str, backbone: str, options: Options) -> Options:
        """What was not said is the backbone's own.

        Raises:
            RecipeError: options that do not go together.
        """
        try:
            return changed(REGION_BACKBONES[backbone][0], **options.model_dump(exclude_unset=True))
        except ValueError as error:
            raise RecipeError(f"training.options: {_one_line(error)} ({preset} on {backbone})") from error

    def build(
        self, preset: str, backbone: str, classes: int, options: Options, weights: Options | None = None
    ) -> Detector:
        """See :meth:`spotlabel.detector.family.Family.build`.

        Raises:
            RecipeError: options that do not go with the backbone.
        """
        factors = weights if isinstance(weights, RegionWeights) else None
        try:
            return build_region_detector(preset, backbone, classes, factors, **options.model_dump())
        except ValueError as error:
            raise RecipeError(f"training.options: {_one_line(error)} ({preset} on {backbone})") from error

    def recognise(self, tensors: Mapping[str, Tensor], named: bool) -> Recognised | None:
        """See :func:`spotlabel.detector.regions.recognise.recognise`."""
        return recognise(tensors, named)

    def load_public(self, network: Detector, tensors: Mapping[str, Tensor]) -> ImportReport:
        """See :func:`spotlabel.detector.regions.checkpoint.load_detector`."""
        return load_detector(_own(network), tensors)

    def load_imagenet(self, network: Detector, backbone: str, file: Path | None) -> ImportReport:
        """Start trunk and head from ImageNet weights; the small backbones have none."""
        if backbone not in IMAGENET_NAMES:
            raise CheckpointError(f"training.init: there are no ImageNet weights of {backbone}")
        return load_imagenet(_own(network), imagenet_weights(IMAGENET_NAMES[backbone], file))


def _own(network: Detector) -> FasterRcnn:
    assert isinstance(network, FasterRcnn)
    return network


def _one_line(error: ValueError) -> str:
    """What was wrong, without the frame that pydantic puts around it."""
    found = getattr(error, "errors", None)
    return str(found()[0]["msg"]).removeprefix("Value error, ") if found else str(error)

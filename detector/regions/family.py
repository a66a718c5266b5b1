"""Faster R-CNN and the attentions on it as a family of detectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, ImportReport
from spotlabel.detector.contract import Detector
from spotlabel.detector.family import Family, Options
from spotlabel.detector.networks.imagenet import imagenet_weights
from spotlabel.detector.regions.backbones import REGION_BACKBONES
from spotlabel.detector.regions.checkpoint import IMAGENET_NAMES, load_detector, load_imagenet
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.options import RegionOptions, RegionWeights
from spotlabel.detector.regions.presets import REGION_PRESETS, build_region_detector
from spotlabel.pipeline.errors import RecipeError

PYRAMIDS = ("faster-rcnn", "lga")
"""Presets that stand on a pyramid unless told otherwise; the papers of the others have one feature map."""


class RegionFamily(Family):
    """See :mod:`spotlabel.detector.regions.presets`; every preset goes with every backbone."""

    presets = tuple(REGION_PRESETS)
    backbones = tuple(REGION_BACKBONES)
    weights = RegionWeights
    options = RegionOptions

    def defaults(self, preset: str) -> Mapping[str, object]:
        """The backbone of the paper."""
        return {"backbone": "resnet-50-fpn" if preset in PYRAMIDS else "resnet-101-c4"}

    def build(
        self, preset: str, backbone: str, classes: int, options: Options, weights: Options | None = None
    ) -> Detector:
        """See :meth:`spotlabel.detector.family.Family.build`.

        Raises:
            RecipeError: options that do not go together or with the backbone.
        """
        factors = weights if isinstance(weights, RegionWeights) else None
        try:
            return build_region_detector(preset, backbone, classes, factors, **options.model_dump())
        except ValueError as error:
            raise RecipeError(f"training.options: {_one_line(error)} ({preset} on {backbone})") from error

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

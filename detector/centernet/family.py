"""CenterNet and the SpotNets as a family of detectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from spotlabel.detector.centernet.losses import LossWeights
from spotlabel.detector.centernet.presets import PRESETS, build_detector
from spotlabel.detector.centernet.recognise import recognise
from spotlabel.detector.checkpoint import CheckpointError, ImportReport
from spotlabel.detector.contract import Detector
from spotlabel.detector.family import Family, Options, Recognised
from spotlabel.detector.networks.backbones import BACKBONES, build_backbone
from spotlabel.detector.networks.imagenet import imagenet_weights, load_imagenet
from spotlabel.detector.networks.resnet import ResNet

BASES: dict[str, dict[str, object]] = {
    # Something real on a CPU in minutes: a sigmoid gate (it learns from scratch) on the smallest hourglass.
    "small": {
        "preset": "spotnet-paper",
        "backbone": "hourglass-tiny",
        "canvas": (256, 448),
        "extent": 0.5,
        "every": 2,
        "every_held_out": 8,
        "epochs": 14,
        "batch": 8,
        "lr": 2e-3,
        "warm_up": 20,
        "ema": 0.99,
        "weights": {"seg": 5.0},  # its mean over all pixels is small where vehicles are
        "workers": 0,
        "remember": 400,
    },
    # SpotNet's released training: Perreault et al., CRV 2020, and the options of its repository.
    "released": {
        "preset": "spotnet-released",
        "ignore_mode": "none",
        "index_boxes": True,
        "epochs": 140,
        "batch": 2,
        "optimiser": "adam",
        "lr": 1e-5,
        "weight_decay": 0.0,
        "schedule": "step",
        "warm_up": 0,
        "clip": 0.0,
        "ema": 0.0,
        "fast_data": False,
        "channels_last": False,
    },
}


class CenterNetFamily(Family):
    """See :mod:`spotlabel.detector.centernet.presets`; every preset goes with every backbone."""

    presets = tuple(PRESETS)
    backbones = tuple(BACKBONES)
    weights = LossWeights
    bases = BASES
    idle = ("SqEx.",)

    def recognise(self, tensors: Mapping[str, Tensor], named: bool) -> Recognised | None:
        """See :func:`spotlabel.detector.centernet.recognise.recognise`."""
        return recognise(tensors)

    def build(
        self, preset: str, backbone: str, classes: int, options: Options, weights: Options | None = None
    ) -> Detector:
        """See :meth:`spotlabel.detector.family.Family.build`."""
        network = build_detector(preset, build_backbone(backbone), classes)
        if isinstance(weights, LossWeights):
            network.weights = weights
        return network

    def load_imagenet(self, network: Detector, backbone: str, file: Path | None) -> ImportReport:
        """Start a ResNet from ImageNet weights; other backbones have none."""
        if not isinstance(network.backbone, ResNet):
            raise CheckpointError(f"training.init: ImageNet weights are for ResNet backbones, not {backbone}")
        return load_imagenet(network.backbone, imagenet_weights(backbone, file))

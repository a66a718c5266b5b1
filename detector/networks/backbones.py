"""Backbones by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from spotlabel.detector.networks.backbone import Backbone
from spotlabel.detector.networks.hourglass import (
    HOURGLASS_52,
    HOURGLASS_104,
    HOURGLASS_SMALL,
    HOURGLASS_TINY,
    Hourglass,
)
from spotlabel.detector.networks.resnet import RESNET_18, RESNET_34, RESNET_50, ResNet

BACKBONES: dict[str, Callable[[], Backbone]] = {
    "hourglass-104": partial(Hourglass, HOURGLASS_104),
    "hourglass-52": partial(Hourglass, HOURGLASS_52),
    "hourglass-small": partial(Hourglass, HOURGLASS_SMALL),
    "hourglass-tiny": partial(Hourglass, HOURGLASS_TINY),
    "resnet18": partial(ResNet, RESNET_18),
    "resnet34": partial(ResNet, RESNET_34),
    "resnet50": partial(ResNet, RESNET_50),
}


def build_backbone(name: str) -> Backbone:
    """The backbone ``name`` with random weights.

    Raises:
        ValueError: there is no backbone of this name.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]()

"""Backbones by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from detector.networks.backbone import Backbone
from detector.networks.hourglass import (
    HOURGLASS_52,
    HOURGLASS_104,
    HOURGLASS_SMALL,
    HOURGLASS_TINY,
    Hourglass,
)

BACKBONES: dict[str, Callable[[], Backbone]] = {
    "hourglass-104": partial(Hourglass, HOURGLASS_104),
    "hourglass-52": partial(Hourglass, HOURGLASS_52),
    "hourglass-small": partial(Hourglass, HOURGLASS_SMALL),
    "hourglass-tiny": partial(Hourglass, HOURGLASS_TINY),
}


def build_backbone(name: str) -> Backbone:
    """The backbone ``name`` with random weights.

    Raises:
        ValueError: there is no backbone of this name.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]()

"""Masks: evidence and boxes in, background / foreground / unknown out."""

from labelers.masks.frame import MASK_RULES_VERSION, FrameMask, make_mask, unknown_mask
from labelers.masks.presets import PRESETS, resolve
from labelers.masks.settings import MaskSettings
from labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "MASK_RULES_VERSION",
    "PRESETS",
    "UNKNOWN",
    "FrameMask",
    "MaskSettings",
    "make_mask",
    "resolve",
    "unknown_mask",
]

"""Masks: evidence and boxes in, background / foreground / unknown out."""

from labelers.masks.frame import (
    MASK_RULES_VERSION,
    Draft,
    FrameMask,
    draft_mask,
    finish_mask,
    make_mask,
    unknown_mask,
)
from labelers.masks.presets import PRESETS, resolve
from labelers.masks.settings import MaskSettings
from labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "MASK_RULES_VERSION",
    "PRESETS",
    "UNKNOWN",
    "Draft",
    "FrameMask",
    "MaskSettings",
    "draft_mask",
    "finish_mask",
    "make_mask",
    "resolve",
    "unknown_mask",
]

"""Masks: evidence and boxes in, background / foreground / unknown out."""

from spotlabel.labelers.masks.frame import (
    FOREGROUND_RULES_VERSION,
    MASK_RULES_VERSION,
    Draft,
    FrameMask,
    draft_mask,
    finish_mask,
    make_mask,
    unknown_mask,
)
from spotlabel.labelers.masks.presets import PRESETS, resolve
from spotlabel.labelers.masks.settings import MaskSettings, OwnerSettings
from spotlabel.labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "FOREGROUND_RULES_VERSION",
    "MASK_RULES_VERSION",
    "PRESETS",
    "UNKNOWN",
    "Draft",
    "FrameMask",
    "MaskSettings",
    "OwnerSettings",
    "draft_mask",
    "finish_mask",
    "make_mask",
    "resolve",
    "unknown_mask",
]

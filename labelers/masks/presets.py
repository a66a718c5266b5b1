"""Named mask settings, and how overrides are put on top of one."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from spotlabel.labelers.errors import invalid_settings, unknown_name
from spotlabel.labelers.masks.settings import MaskSettings

PAPER = MaskSettings(
    motion_threshold=1.0,
    median=5,
    other_classes="background",
    ignore_regions="background",
    warm_up="keep",
)
"""The SpotNet paper's rule (section III-D): threshold, basic image processing, boxes; two values."""

SPOTNET_RELEASED = MaskSettings(
    boxes_first=True,
    box_rounding="truncate",
    blur=17,
    blur_sigma=4.0,
    other_classes="background",
    ignore_regions="background",
    warm_up="keep",
)
"""What the released scripts do, exactly: with ``pawcs-pybgs`` its foreground inside integer-truncated boxes;
with ``released-flow`` boxes first, then a 17x17 blur of sigma 4 and > 24, so masks bleed out of boxes."""

DEFAULT = MaskSettings(
    motion_threshold=0.75,
    median=5,
    close=5,
    fill_holes=True,
    min_blob=30,
    weak_boxes="unknown",
    min_fill=0.2,
    min_believability=0.4,
)
"""Ours, three values: gaps in vehicles closed and filled; boxes are not believed whose foreground is
too little or hangs on threshold, cleaning or frame; 0.4 is measured, see docs/believability.md."""

PRESETS: dict[str, MaskSettings] = {"default": DEFAULT, "paper": PAPER, "spotnet-released": SPOTNET_RELEASED}
"""Presets by the name a recipe uses."""


def resolve(preset: str, overrides: Mapping[str, object]) -> MaskSettings:
    """Settings of a preset with some fields replaced.

    Args:
        preset: a key of :data:`PRESETS`.
        overrides: field name to value.

    Raises:
        LabelerError: unknown preset or field (with the nearest valid name), or values that are not allowed.
    """
    if preset not in PRESETS:
        raise unknown_name("mask preset", preset, PRESETS)
    for name in overrides:
        if name not in MaskSettings.model_fields:
            raise unknown_name("mask setting", name, MaskSettings.model_fields)
    try:
        return MaskSettings.model_validate(PRESETS[preset].model_dump() | dict(overrides))
    except ValidationError as error:
        raise invalid_settings("mask settings", error) from error

"""Which boxes are believed, and what becomes of the pixels of the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import has_pixels, inside_rects, paint
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.settings import MaskSettings
from spotlabel.labelers.masks.values import FOREGROUND, UNKNOWN, Plane, Rects

Bool = npt.NDArray[np.bool_]


def believed_boxes(
    selected: Bool, rects: Rects, fill: Column, believability: Column, settings: MaskSettings
) -> Bool:
    """Which boxes are believed, by ``min_fill`` and ``min_believability``: bool (N,).

    Args:
        selected: bool (N,), the box is of one of ``settings.classes``; no other is believed.
        rects: int64 (N, 4); a box without pixels is not believed.
        fill: float32 (N,), share of the box's pixels that are foreground.
        believability: float32 (N,), 0 to 1.
        settings: see :class:`MaskSettings`.
    """
    enough = (fill >= settings.min_fill) & (believability >= settings.min_believability)
    believed: Bool = selected & has_pixels(rects) & enough
    return believed


def unknown_boxes(selected: Bool, believed: Bool, settings: MaskSettings) -> Bool:
    """Which boxes make their pixels unknown, by ``weak_boxes`` and ``other_classes``: bool (N,)."""
    unknown = np.zeros(len(selected), np.bool_)
    if settings.weak_boxes == "unknown":
        unknown |= selected & ~believed
    if settings.other_classes == "unknown":
        unknown |= ~selected
    return unknown


def make_unknown(mask: Plane, unknown: Rects, believed: Rects) -> None:
    """Make the pixels of some boxes unknown, except the foreground of believed boxes; in place.

    Args:
        mask: uint8 (H, W), background or foreground.
        unknown: int64 (N, 4), from :func:`unknown_boxes`.
        believed: int64 (M, 4).
    """
    sides = np.maximum(believed[:, 2:] - believed[:, :2], 0)
    if int(sides.prod(axis=1).sum()) > mask.size:  # boxes upon boxes: their copies would be many frames
        held = (mask == FOREGROUND) & inside_rects((mask.shape[0], mask.shape[1]), believed).view(np.bool_)
        paint(mask, unknown, UNKNOWN)
        mask[held] = FOREGROUND
        return
    kept = [(mask[y0:y1, x0:x1], mask[y0:y1, x0:x1] == FOREGROUND) for x0, y0, x1, y1 in believed.tolist()]
    paint(mask, unknown, UNKNOWN)
    for view, was_foreground in kept:
        view[was_foreground] = FOREGROUND

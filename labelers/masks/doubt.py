"""Which boxes are doubted, and what doubt does to their pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import paint
from spotlabel.labelers.masks.settings import MaskSettings
from spotlabel.labelers.masks.values import FOREGROUND, UNKNOWN, Plane, Rects


def doubtful_boxes(
    selected: npt.NDArray[np.bool_], believed: npt.NDArray[np.bool_], settings: MaskSettings
) -> npt.NDArray[np.bool_]:
    """Which boxes make their pixels unknown, by ``weak_boxes`` and ``other_classes``: bool (N,)."""
    doubted = np.zeros(len(selected), np.bool_)
    if settings.weak_boxes == "unknown":
        doubted |= selected & ~believed
    if settings.other_classes == "unknown":
        doubted |= ~selected
    return doubted


def doubt(mask: Plane, doubted: Rects, believed: Rects) -> None:
    """Make the pixels of doubted boxes unknown, except the foreground of believed boxes; in place.

    Args:
        mask: uint8 (H, W), background or foreground.
        doubted: int64 (N, 4).
        believed: int64 (M, 4).
    """
    known = [(mask[y0:y1, x0:x1], mask[y0:y1, x0:x1] == FOREGROUND) for x0, y0, x1, y1 in believed.tolist()]
    paint(mask, doubted, UNKNOWN)
    for view, was_foreground in known:
        view[was_foreground] = FOREGROUND

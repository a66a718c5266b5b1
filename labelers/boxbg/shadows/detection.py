"""Detection of cast shadow in and beside the boxes of a patch, once a vote has told how it lies to them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.cues import Cues
from spotlabel.labelers.boxbg.shadows.crossing import RING, SHADED, crossing_shadow, grown_window
from spotlabel.labelers.boxbg.shadows.enclosed import enclosed_shadow
from spotlabel.labelers.boxbg.shadows.vote import MIN_SIDE, ShadowLayout
from spotlabel.labelers.masks.values import Rects

Bool = npt.NDArray[np.bool_]


class Patch(NamedTuple):
    """A part of a frame with some boxes.

    Attributes:
        cues: against the background.
        foreground: bool (H, W).
        rects: int64 (M, 4), ``x0, y0, x1, y1`` of the boxes, all inside the patch.
        regions: int64 (R, 4), the ignore regions, of which any part may be outside the patch.
        at_foot: the patch reaches to the lowest row of the image.
    """

    cues: Cues
    foreground: Bool
    rects: Rects
    regions: Rects
    at_foot: bool


def shadow_outside_boxes(cues: Cues, rects: Rects, regions: Rects, sigmas: float) -> Bool:
    """What differs from the background as a shadow does, outside all boxes and ignore regions.

    Args:
        cues: of a patch (H, W).
        rects: int64 (M, 4), its boxes.
        regions: int64 (R, 4), ignore regions, of which any part may be outside the patch.
        sigmas: least difference from the background, standard deviations.

    Returns:
        bool (H, W): dark, without texture or colour of its own.
    """
    dark: Bool = (cues.ratio < SHADED) & (cues.deviation > sigmas) & cues.plain
    for x0, y0, x1, y1 in np.maximum(np.concatenate([rects, regions]), 0).tolist():
        dark[y0:y1, x0:x1] = False
    return dark


def shadow_pixels(patch: Patch, shadows: ShadowLayout, sigmas: float) -> Bool:
    """Which pixels are shadow, of the foreground of boxes and right beside them: bool (H, W).

    Args:
        patch: part of a frame.
        shadows: how they lie to the boxes of this video, by vote.
        sigmas: least difference from the background, standard deviations.
    """
    shadow = np.zeros(patch.foreground.shape, np.bool_)
    if shadows == ShadowLayout.CROSSING:
        _mark_crossing(patch, sigmas, shadow)
    elif shadows != ShadowLayout.UNKNOWN:
        _mark_enclosed(patch, shadows.value, shadow)
    return shadow


def _mark_crossing(patch: Patch, sigmas: float, shadow: Bool) -> None:
    """Mark in and beside each box the shadow that crosses its border."""
    outside = shadow_outside_boxes(patch.cues, patch.rects, patch.regions, sigmas)
    if not outside.any():
        return
    plain = patch.foreground & patch.cues.plain
    for x0, y0, x1, y1 in patch.rects.tolist():
        window = grown_window((x0, y0, x1, y1), RING)
        box = np.s_[y0 - window[0].start : y1 - window[0].start, x0 - window[1].start : x1 - window[1].start]
        ratio, beside = patch.cues.ratio[window], outside[window]
        inside = np.zeros(ratio.shape, np.bool_)
        inside[box] = plain[y0:y1, x0:x1]
        foreground = int(np.count_nonzero(patch.foreground[y0:y1, x0:x1]))
        shadow[window] |= crossing_shadow(ratio, beside, inside, foreground)


def _mark_enclosed(patch: Patch, side: int, shadow: Bool) -> None:
    """Mark shadow enclosed by boxes.

    Where boxes overlap, all must agree: the end of one object protrudes in the box of another.
    """
    covering, agreeing = np.zeros(shadow.shape, np.uint8), np.zeros(shadow.shape, np.uint8)
    for x0, y0, x1, y1 in patch.rects.tolist():
        box = np.s_[y0:y1, x0:x1]
        covering[box] += 1
        if min(x1 - x0, y1 - y0) >= MIN_SIDE:
            grounded = not (patch.at_foot and y1 == len(shadow))
            agreeing[box] += enclosed_shadow(patch.cues.ratio[box], patch.foreground[box], side, grounded)
    shadow |= (agreeing > 0) & (agreeing == covering)

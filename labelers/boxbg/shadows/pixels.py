"""Deep shadow in the boxes of a patch, by where it lies; see :mod:`spotlabel.labelers.boxbg.shadows`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.cues import Cues
from spotlabel.labelers.boxbg.shadows.held import held_shadow
from spotlabel.labelers.boxbg.shadows.leaving import RING, SHADED, around, leaving_shadow
from spotlabel.labelers.boxbg.shadows.verdict import SMALLEST, Shadows
from spotlabel.labelers.masks.values import Rects

Bool = npt.NDArray[np.bool_]


class Patch(NamedTuple):
    """A part of a frame with some boxes.

    Attributes:
        cues: against the background.
        found: bool (H, W), foreground.
        rects: int64 (M, 4), ``x0, y0, x1, y1`` of the boxes, all inside the patch.
        regions: int64 (R, 4), the ignore regions, of which any part may be outside the patch.
        at_foot: the patch reaches to the lowest row of the image.
    """

    cues: Cues
    found: Bool
    rects: Rects
    regions: Rects
    at_foot: bool


def shadow_beside(cues: Cues, rects: Rects, regions: Rects, sigmas: float) -> Bool:
    """What differs from the background as a shadow does, outside all boxes and ignore regions.

    Args:
        cues: of a patch (H, W).
        rects: int64 (M, 4), its boxes.
        regions: int64 (R, 4), ignore regions, of which any part may be outside the patch.
        sigmas: least difference from the background, standard deviations.

    Returns:
        bool (H, W): dark, without texture or colour of its own.
    """
    dark: Bool = (cues.light < SHADED) & (cues.deviation > sigmas) & cues.plain
    for x0, y0, x1, y1 in np.maximum(np.concatenate([rects, regions]), 0).tolist():
        dark[y0:y1, x0:x1] = False
    return dark


def shadow_pixels(patch: Patch, shadows: Shadows, sigmas: float) -> Bool:
    """Which pixels are shadow, of the foreground of boxes and right beside them: bool (H, W).

    Args:
        patch: part of a frame.
        shadows: how they lie to the boxes of this video.
        sigmas: least difference from the background, standard deviations.
    """
    shade = np.zeros(patch.found.shape, np.bool_)
    if shadows == Shadows.LEAVING:
        _mark_leaving(patch, sigmas, shade)
    elif shadows != Shadows.UNKNOWN:
        _mark_held(patch, shadows.value, shade)
    return shade


def _mark_leaving(patch: Patch, sigmas: float, shade: Bool) -> None:
    outside = shadow_beside(patch.cues, patch.rects, patch.regions, sigmas)
    if not outside.any():
        return
    plain = patch.found & patch.cues.plain
    for x0, y0, x1, y1 in patch.rects.tolist():
        window = around((x0, y0, x1, y1), RING)
        box = np.s_[y0 - window[0].start : y1 - window[0].start, x0 - window[1].start : x1 - window[1].start]
        light, beside = patch.cues.light[window], outside[window]
        inside = np.zeros(light.shape, np.bool_)
        inside[box] = plain[y0:y1, x0:x1]
        found = int(np.count_nonzero(patch.found[y0:y1, x0:x1]))
        shade[window] |= leaving_shadow(light, beside, inside, found)


def _mark_held(patch: Patch, side: int, shade: Bool) -> None:
    """Where boxes overlap, all must say so: the end of one object sticks out in the box of another."""
    held, said = np.zeros(shade.shape, np.uint8), np.zeros(shade.shape, np.uint8)
    for x0, y0, x1, y1 in patch.rects.tolist():
        box = np.s_[y0:y1, x0:x1]
        held[box] += 1
        if min(x1 - x0, y1 - y0) >= SMALLEST:
            grounded = not (patch.at_foot and y1 == len(shade))
            said[box] += held_shadow(patch.cues.light[box], patch.found[box], side, grounded)
    shade |= (said > 0) & (said == held)

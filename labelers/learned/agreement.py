"""What a mask's shape in its box, and its agreement with another mask, say about it.

A box says more than where its object is: annotators draw it so that the object reaches all four sides, and an
object is of one piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
HALF = 127
"""A pixel is the object's where its probability exceeds one half of 255."""
CUT = 1
"""A box that comes this near to the image's border, px, is taken for one that the border cuts."""
REACHED = 0.08
"""A mask reaches a side of its box if it comes within this share of the box, and :data:`REACHED_PIXELS`."""
REACHED_PIXELS = 2
FAR = 0.25
"""Over this share of the box beyond that, a side counts less and less as reached."""

Sides = tuple[bool, bool, bool, bool]


def open_sides(box: tuple[slice, slice], shape: tuple[int, int]) -> Sides:
    """Which sides of a box lie inside the image: left, top, right, bottom.

    Where the image's border cuts a box nobody knows how far its object reaches.
    """
    rows, columns = box
    height, width = shape
    return columns.start > CUT, rows.start > CUT, columns.stop < width - CUT, rows.stop < height - CUT


def reach(mask: Bool, sides: Sides) -> float:
    """How far a mask fills its box from side to side, 0 to 1: product over the box's open sides.

    Args:
        mask: bool (h, w), the box.
        sides: which sides count; see :func:`open_sides`.

    Returns:
        1 if every open side is reached; 0 if one is not nearly reached, or the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0
    height, width = mask.shape
    gaps = (columns[0], rows[0], width - 1 - columns[-1], height - 1 - rows[-1])
    lengths = (width, height, width, height)
    reached = 1.0
    for gap, length, counts in zip(gaps, lengths, sides, strict=True):
        if counts:
            beyond = float(gap) - REACHED * length - REACHED_PIXELS
            reached *= min(1.0, max(0.0, 1 - beyond / (FAR * length)))
    return reached


def piece(mask: Bool) -> float:
    """Share of a mask, bool (h, w), that hangs together with its largest part (8-connected); 0 if empty."""
    plane = np.ascontiguousarray(mask).view(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
    sizes = stats[1:, cv2.CC_STAT_AREA].tolist()
    return max(sizes) / sum(sizes) if sizes else 0.0


def share(part: Bool, whole: Bool) -> float:
    """Share of ``whole`` that is in ``part`` too, both bool (h, w); 0 if it is empty."""
    return int(np.count_nonzero(part & whole)) / max(int(np.count_nonzero(whole)), 1)


def overlap(one: Bool, other: Bool) -> float:
    """IoU of two masks, bool (h, w); 0 if both are empty."""
    return int(np.count_nonzero(one & other)) / max(int(np.count_nonzero(one | other)), 1)


def wholeness(mask: Bool, sides: Sides) -> float:
    """How much a mask, bool (h, w), is what a box says of its object: reach times piece, 0 to 1."""
    return reach(mask, sides) * piece(mask)


def best(readings: Sequence[Image], evidence: Bool | None, sides: Sides) -> Image:
    """The reading of a box to go by: a whole one that agrees with what else is known.

    Args:
        readings: probabilities, uint8 (h, w), 0 to 255; one or more, the first of equals is taken.
        evidence: another mask of the box, bool (h, w); None if there is none.
        sides: of the box; see :func:`open_sides`.
    """
    if len(readings) == 1:
        return readings[0]

    def merit(reading: Image) -> float:
        mask = reading > HALF
        return wholeness(mask, sides) * (1.0 if evidence is None else overlap(mask, evidence))

    return max(readings, key=merit)

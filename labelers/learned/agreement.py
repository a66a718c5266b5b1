"""What a mask's shape in its box, and its agreement with another mask, say about it.

A box says more than where its object is: annotators draw it so that the object reaches all four sides, and an
object is of one piece.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
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
    return columns.start > 0, rows.start > 0, columns.stop < shape[1], rows.stop < shape[0]


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

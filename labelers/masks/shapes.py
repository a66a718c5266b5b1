"""Shape of a box: its foreground sampled on a grid that is fixed to the box, whatever its place and size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Plane, Rects

GRID = 24
"""Cells along either side of a box."""

Shapes = npt.NDArray[np.uint8]
"""(N, GRID, GRID), 0 or 1."""


def box_shapes(mask: Plane, rects: Rects) -> Shapes:
    """Sample the foreground of each box at the cells of its grid.

    Args:
        mask: uint8 (H, W), background or foreground.
        rects: int64 (N, 4).

    Returns:
        uint8 (N, GRID, GRID), the mask's value at each cell; 0 for a box without pixels.
    """
    shapes = np.zeros((len(rects), GRID, GRID), np.uint8)
    for shape, (x0, y0, x1, y1) in zip(shapes, rects.tolist(), strict=True):
        if x1 > x0 and y1 > y0:
            cv2.resize(mask[y0:y1, x0:x1], (GRID, GRID), dst=shape, interpolation=cv2.INTER_NEAREST_EXACT)
    return shapes

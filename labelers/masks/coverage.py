"""How many boxes cover each pixel: what pairs of boxes tell, for frames with so many that pairs are too many.

All numbers are whole, so either way gives the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import has_pixels
from spotlabel.labelers.masks.values import Rects

PIXELS_PER_PAIR = 8
"""Looking at a pair of boxes costs as much as looking at so many pixels."""
MOST_PAIRS = 2**20
"""Never more pairs than this: all are held in memory at once."""


def few_pairs(count: int, pixels: int) -> bool:
    """Whether to look at the pairs of so many boxes rather than at the pixels of their frame."""
    return count * count <= min(pixels // PIXELS_PER_PAIR, MOST_PAIRS)


def coverage(rects: Rects, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Number of rectangles that hold each pixel, int32 (H, W).

    Args:
        rects: int64 (N, 4), inside the image; those without pixels count nowhere.
        shape: height and width of the image.
    """
    steps = np.zeros((shape[0] + 1, shape[1] + 1), np.int32)
    x0, y0, x1, y1 = rects[has_pixels(rects)].T
    for rows, columns, step in ((y0, x0, 1), (y1, x1, 1), (y0, x1, -1), (y1, x0, -1)):
        np.add.at(steps, (rows, columns), step)
    covering: npt.NDArray[np.int32] = steps.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    return covering[:-1, :-1]


def sums(plane: npt.NDArray[np.generic], rects: Rects) -> npt.NDArray[np.int64]:
    """Sum of a plane (H, W) of whole numbers over each rectangle, int64 (N,); 0 for those without pixels."""
    total = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1), np.int64)
    np.cumsum(plane, axis=0, out=total[1:, 1:])
    np.cumsum(total, axis=1, out=total)
    x0, y0, x1, y1 = rects.T
    over: npt.NDArray[np.int64] = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]
    return np.where(has_pixels(rects), over, 0)

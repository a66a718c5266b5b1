"""Temporal median and median absolute deviation of the visible background, compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled

_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_BAND = 16
"""Rows that are gathered from all frames at a time."""


@compiled
def _select(
    values: npt.NDArray[np.uint8], rank: npt.NDArray[np.unsignedinteger], found: npt.NDArray[np.uint8]
) -> None:
    """Order statistic of every column: the value of a rank (0 is the smallest), bit by bit from the highest.

    A bit is set where no more than ``rank`` values lie below what it gives: counts along whole rows, which
    compile to vector instructions, where sorting column by column does not.
    """
    count, size = values.shape
    tried, below = np.empty(size, np.uint8), np.empty_like(rank)
    found[:] = 0
    for step in range(7, -1, -1):
        bit = np.uint8(1 << step)
        for i in range(size):
            tried[i] = found[i] | bit
            below[i] = 0
        for k in range(count):
            for i in range(size):
                below[i] += values[k, i] < tried[i]
        for i in range(size):
            if below[i] <= rank[i]:
                found[i] = tried[i]


@compiled
def _mark_unused(
    visibility: npt.NDArray[np.uint8],
    unused: npt.NDArray[np.uint8],
    rank: npt.NDArray[np.unsignedinteger],
    seen: npt.NDArray[np.uint16],
) -> None:
    """Which frames do not count at each pixel of a row (255, else 0), how many do, and the median's rank."""
    count, width = visibility.shape
    best = np.zeros(width, np.uint8)
    seen[:] = 0
    for k in range(count):
        for x in range(width):
            best[x] = max(best[x], visibility[k, x])
    for k in range(count):
        for x in range(width):
            use = np.uint8((visibility[k, x] == best[x]) & (best[x] > 0))
            seen[x] += use
            for c in range(3):
                unused[k, 3 * x + c] = use - np.uint8(1)
    for x in range(width):
        for c in range(3):
            rank[3 * x + c] = (max(seen[x], np.uint16(1)) - 1) // 2


@compiled
def _fit(
    images: npt.NDArray[np.uint8],
    visibility: npt.NDArray[np.uint8],
    rank: npt.NDArray[np.unsignedinteger],
    fitted: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint16]],
) -> None:
    """Median and median absolute deviation, row by row, which the processor's cache holds.

    Colours lie side by side: images (K, H, 3 W), visibility (K, H, W), results (H, 3 W) and (H, W).
    What does not count is made the largest value there is: none below any other.
    """
    count, height, size = images.shape
    centre, spread, seen = fitted
    values, unused = np.empty((2, count, size), np.uint8)
    for y in range(height):
        _mark_unused(visibility[:, y], unused, rank, seen[y])
        for k in range(count):
            for i in range(size):
                values[k, i] = images[k, y, i] | unused[k, i]
        _select(values, rank, centre[y])
        for k in range(count):
            for i in range(size):
                here, middle = images[k, y, i], centre[y, i]
                values[k, i] = (here - middle if here > middle else middle - here) | unused[k, i]
        _select(values, rank, spread[y])


def temporal_median(
    images: Sequence[npt.NDArray[np.uint8]], visibility: Sequence[npt.NDArray[np.uint8]]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    """Median and standard deviation over time of each pixel, over the frames that show it.

    A pixel is taken from the frames in which its visibility is highest: those with an ignore region there
    count only where no frame shows it outside one.

    Args:
        images: uint8 (H, W, 3) each, at least one.
        visibility: uint8 (H, W) each, 0 where the pixel must not be used, see
            :func:`spotlabel.labelers.boxbg.samples.visibility_mask`.

    Returns:
        The median, uint8 (H, W, 3); the standard deviation, float32 (H, W, 3), from the median absolute
        deviation; the number of frames used, uint16 (H, W), 0 where nothing is known and the rest is 0.
    """
    (height, width), count = visibility[0].shape, len(visibility)
    centre, spread = np.zeros((2, height, 3 * width), np.uint8)
    seen = np.zeros((height, width), np.uint16)
    narrow = np.uint8 if count < 256 else np.uint16  # of narrow counts, twice as many are worked on at a time
    rank = np.empty(3 * width, narrow)
    levels = np.empty((count, _BAND, width, 3), np.uint8)
    planes = np.empty((count, _BAND, width), np.uint8)
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        for k in range(count):
            levels[k, : rows.stop - top], planes[k, : rows.stop - top] = images[k][rows], visibility[k][rows]
        # Contiguous also at the foot: for another layout of memory all would be compiled once more.
        band = np.ascontiguousarray(levels[:, : rows.stop - top]).reshape(count, -1, 3 * width)
        shown = np.ascontiguousarray(planes[:, : rows.stop - top])
        _fit(band, shown, rank, (centre[rows], spread[rows], seen[rows]))
    known = (seen > 0)[..., None]
    sigma = np.float32(_MAD_TO_SIGMA) * spread.reshape(height, width, 3).astype(np.float32)
    return np.where(known, centre.reshape(height, width, 3), np.uint8(0)), np.where(known, sigma, 0), seen

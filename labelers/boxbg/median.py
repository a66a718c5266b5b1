"""The median over time of what can be seen, per pixel and channel, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelers.boxbg.compiled import compiled

_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@compiled
def _select(
    values: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.uint8],
    rank: npt.NDArray[np.uint16],
    found: npt.NDArray[np.uint8],
) -> None:
    """Of every column the valid value of a rank (0 is the smallest), bit by bit from the highest.

    A bit is set where no more than ``rank`` valid values lie below what it gives: counts along whole rows,
    which compile to vector instructions, where sorting column by column does not.
    """
    count, size = values.shape
    tried = np.empty(size, np.uint8)
    below = np.empty(size, np.uint16)
    found[:] = 0
    for step in range(7, -1, -1):
        bit = np.uint8(1 << step)
        for i in range(size):
            tried[i] = found[i] | bit
            below[i] = 0
        for k in range(count):
            for i in range(size):
                below[i] += np.uint16((values[k, i] < tried[i]) & valid[k, i])
        for i in range(size):
            if below[i] <= rank[i]:
                found[i] = tried[i]


@compiled
def _choose(
    sight: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.uint8],
    rank: npt.NDArray[np.uint16],
    seen: npt.NDArray[np.uint16],
) -> None:
    """Which frames count at each pixel of a row, how many they are, and the rank of their lower median."""
    count, width = sight.shape
    best = np.zeros(width, np.uint8)
    seen[:] = 0
    for k in range(count):
        for x in range(width):
            best[x] = max(best[x], sight[k, x])
    for k in range(count):
        for x in range(width):
            use = np.uint8((sight[k, x] == best[x]) & (best[x] > 0))
            seen[x] += use
            for c in range(3):
                valid[k, 3 * x + c] = use
    for x in range(width):
        for c in range(3):
            rank[3 * x + c] = (max(seen[x], np.uint16(1)) - 1) // 2


@compiled
def _fit(
    images: npt.NDArray[np.uint8],
    sight: npt.NDArray[np.uint8],
    centre: npt.NDArray[np.uint8],
    spread: npt.NDArray[np.uint8],
    seen: npt.NDArray[np.uint16],
) -> None:
    """Row by row, which the processor's cache holds; colours side by side: (K, H, 3 W), (H, 3 W)."""
    count, height, size = images.shape
    values = np.empty((count, size), np.uint8)
    valid = np.empty((count, size), np.uint8)
    rank = np.empty(size, np.uint16)
    for y in range(height):
        _choose(sight[:, y], valid, rank, seen[y])
        values[:] = images[:, y]
        _select(values, valid, rank, centre[y])
        for k in range(count):
            for i in range(size):
                here, middle = values[k, i], centre[y, i]
                values[k, i] = here - middle if here > middle else middle - here
        _select(values, valid, rank, spread[y])


def robust_fit(
    images: npt.NDArray[np.uint8], sight: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    """Median and spread over time of each pixel, over the frames that show it.

    A pixel is taken from the frames with the clearest sight of it that there is: those in ignore regions
    count only where no frame is clear.

    Args:
        images: uint8 (K, H, W, 3), C order.
        sight: uint8 (K, H, W), 0 where the pixel must not be used, greater for clearer sight.

    Returns:
        The median, uint8 (H, W, 3); the standard deviation, float32 (H, W, 3), from the median absolute
        deviation; the number of frames used, uint16 (H, W), 0 where nothing is known and the rest is 0.
    """
    count, height, width = sight.shape
    centre, spread = np.zeros((2, height, 3 * width), np.uint8)
    seen = np.zeros((height, width), np.uint16)
    _fit(images.reshape(count, height, 3 * width), sight, centre, spread, seen)
    known = (seen > 0)[..., None]
    sigma = np.float32(_MAD_TO_SIGMA) * spread.reshape(height, width, 3).astype(np.float32)
    return np.where(known, centre.reshape(height, width, 3), np.uint8(0)), np.where(known, sigma, 0), seen

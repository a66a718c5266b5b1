"""The median over time of what can be seen, per pixel and channel, compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])

_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def compiled(function: F) -> F:
    """Compile on first call, without GIL; cached on disk where the cache can be written."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError as error:  # numba found no folder it may write to
        logging.getLogger(__name__).warning("%s is not cached: %s", function.__name__, error)
        return cast(F, numba.njit(nogil=True)(function))


@compiled
def _median(values: npt.NDArray[np.uint8], count: int, coarse: npt.NDArray[np.int32]) -> float:
    """Lower median of the first ``count`` values; two counts of 16 bins, each with 16 bins within."""
    wanted = (count - 1) // 2
    coarse[:] = 0
    for k in range(count):
        coarse[values[k] >> 4] += 1
    high = 0
    while wanted >= coarse[high]:
        wanted -= coarse[high]
        high += 1
    coarse[:] = 0
    for k in range(count):
        if values[k] >> 4 == high:
            coarse[values[k] & 15] += 1
    low = 0
    while wanted >= coarse[low]:
        wanted -= coarse[low]
        low += 1
    return float(16 * high + low)


@compiled
def _fit(
    images: npt.NDArray[np.uint8],
    sight: npt.NDArray[np.uint8],
    centre: npt.NDArray[np.uint8],
    sigma: npt.NDArray[np.float32],
    seen: npt.NDArray[np.uint16],
) -> None:
    count, height, width = sight.shape
    values = np.empty(count, np.uint8)
    bins = np.empty(16, np.int32)
    chosen = np.empty(count, np.int32)
    for y in range(height):
        for x in range(width):
            best = 0
            for k in range(count):
                best = max(best, int(sight[k, y, x]))
            found = 0
            if best > 0:
                for k in range(count):
                    if sight[k, y, x] == best:
                        chosen[found] = k
                        found += 1
            seen[y, x] = found
            if found == 0:
                continue
            for c in range(3):
                for j in range(found):
                    values[j] = images[chosen[j], y, x, c]
                middle = _median(values, found, bins)
                centre[y, x, c] = np.uint8(middle)
                for j in range(found):
                    values[j] = np.uint8(abs(float(values[j]) - middle))
                sigma[y, x, c] = _median(values, found, bins)


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
    shape = images.shape[1:]
    centre, sigma = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    seen = np.zeros(shape[:2], np.uint16)
    _fit(images, sight, centre, sigma, seen)
    sigma *= np.float32(_MAD_TO_SIGMA)
    return centre, sigma, seen

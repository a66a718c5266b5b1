"""Images moved along a similarity transform."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]

_kept = threading.local()


def widened(image: UInt8) -> UInt8:
    """An image, uint8 (H, W, 3), as :func:`moved` wants it: OpenCV moves four channels faster than three."""
    wide: UInt8 = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return wide


def moved(
    wide: UInt8, matrix: npt.NDArray[np.float64], size: tuple[int, int], inverse: bool = False
) -> UInt8:
    """A part of an image, bilinear, continued beyond its border as its outermost pixels: uint8 (h, w, 3).

    Args:
        wide: uint8 (H, W, 4), see :func:`widened`.
        matrix: float64 (2, 3), from coordinates of the image to those of the result.
        size: width and height of the result.
        inverse: the matrix is the other way round.
    """
    flags = cv2.INTER_LINEAR | (cv2.WARP_INVERSE_MAP if inverse else 0)
    space = _space(4 * size[0] * size[1]).reshape(size[1], size[0], 4)
    cv2.warpAffine(wide, matrix, size, dst=space, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    narrow: UInt8 = cv2.cvtColor(space, cv2.COLOR_BGRA2BGR)
    return narrow


def _space(size: int) -> UInt8:
    """Memory that the thread's next call uses again: fresh memory costs as much as the arithmetic."""
    space: UInt8 | None = getattr(_kept, "space", None)
    if space is None or len(space) < size:
        space = _kept.space = np.empty(size, np.uint8)
    return space[:size]

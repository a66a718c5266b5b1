"""Warping of images by a similarity transform, bilinear."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]

_kept = threading.local()


def as_bgra(image: UInt8) -> UInt8:
    """An image, uint8 (H, W, 3), as :func:`warped` wants it: OpenCV moves four channels faster than three."""
    bgra: UInt8 = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return bgra


def warped(
    bgra: UInt8, matrix: npt.NDArray[np.float64], size: tuple[int, int], inverse: bool = False
) -> UInt8:
    """An image under a transform, its outermost pixels repeated beyond its border: uint8 (h, w, 3).

    Args:
        bgra: uint8 (H, W, 4), see :func:`as_bgra`.
        matrix: float64 (2, 3), from coordinates of the image to those of the result.
        size: width and height of the result.
        inverse: the matrix is the other way round.
    """
    flags = cv2.INTER_LINEAR | (cv2.WARP_INVERSE_MAP if inverse else 0)
    space = _space(4 * size[0] * size[1]).reshape(size[1], size[0], 4)
    cv2.warpAffine(bgra, matrix, size, dst=space, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    bgr: UInt8 = cv2.cvtColor(space, cv2.COLOR_BGRA2BGR)
    return bgr


def _space(size: int) -> UInt8:
    """Memory that the thread's next call uses again: fresh memory costs as much as the arithmetic."""
    space: UInt8 | None = getattr(_kept, "space", None)
    if space is None or len(space) < size:
        space = _kept.space = np.empty(size, np.uint8)
    return space[:size]

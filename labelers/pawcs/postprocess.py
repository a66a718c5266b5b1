"""From raw segmentation to mask, and which pixels blink (WACV 2015, section 3.5)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]

_SQUARE = np.ones((3, 3), np.uint8)
_REFERENCE_AREA = 320 * 240
_MEDIAN = 9


def median_size(height: int, width: int) -> int:
    """Side of the median filter, odd: 9 at 320x240, growing with the area up to 13, less below."""
    scale = np.float32(height * width) / np.float32(_REFERENCE_AREA)
    if height * width >= _REFERENCE_AREA:
        size = min(int(np.floor(0.5 + scale)) + _MEDIAN, _MEDIAN + 4)
    else:
        size = min(int(np.floor(0.5 + _MEDIAN * scale * 2)) + _MEDIAN - 4, _MEDIAN)
    return size if size % 2 else size - 1


def clean(raw: Mask, median: int) -> Mask:
    """Final mask of a raw segmentation: holes filled, solid parts kept, median filter.

    Args:
        raw: uint8 (H, W), 0 or 255; its corner (0, 0) is background.
        median: odd side of the median filter.

    Returns:
        uint8 (H, W), 0 or 255.
    """
    closed = cv2.morphologyEx(raw, cv2.MORPH_CLOSE, _SQUARE)
    solid = cv2.erode(closed, _SQUARE, iterations=3)
    return binary_median(raw | _holes(closed) | solid, median)


def clean_level(level: Mask, neutral: int, median: int) -> Mask:
    """The same on distance evidence: grey-scale filters commute with thresholds.

    Args:
        level: uint8 (H, W), foreground above ``neutral``.
        neutral: threshold whose holes are filled.
        median: odd side of the median filter.

    Returns:
        uint8 (H, W); above ``neutral`` where :func:`clean` of ``level > neutral`` is 255.
    """
    closed = cv2.morphologyEx(level, cv2.MORPH_CLOSE, _SQUARE)
    solid = cv2.erode(closed, _SQUARE, iterations=3)
    holes = _holes(cv2.compare(closed, neutral, cv2.CMP_GT))
    filled = np.where(holes > 0, np.uint8(neutral + 1), np.uint8(0))
    return np.asarray(cv2.medianBlur(np.maximum(np.maximum(level, solid), filled), median))


def _holes(closed: Mask) -> Mask:
    """Background that is not connected to the corner, uint8 0 or 255."""
    flooded = closed.copy()
    cv2.floodFill(flooded, None, (0, 0), 255)
    return np.asarray(cv2.bitwise_not(flooded))


def binary_median(mask: Mask, size: int) -> Mask:
    """Median filter of a mask of 0 and 255 by counting: equal to cv2.medianBlur, many times faster."""
    ones = cv2.boxFilter(mask >> 7, cv2.CV_8U, (size, size), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.compare(ones, size * size // 2, cv2.CMP_GT))


def dilate(mask: Mask) -> Mask:
    """The mask grown by 3 pixels."""
    return np.asarray(cv2.dilate(mask, _SQUARE, iterations=3))

"""Smoothing of the log-odds by a guided filter: over many pixels, and yet not across edges of the image.

The guided filter (He, Sun and Tang, PAMI 2013) over the odds, with the frame itself as guide, fits in every
window a straight line from brightness to odds: inside an object or beside it this is a mean, at an outline it
follows the outline. Filtering a cost before each pixel decides for itself, in place of a graph cut, is
cost-volume filtering (Rhemann et al., CVPR 2011). Edges are not always outlines, so each box is checked
against the box filter (a mean over a square), and keeps that where the two are far apart.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Rects

_SMOOTHNESS = 0.004 * 255.0**2
"""Brightness with less variance than this in a window, squared grey levels, has no edges worth following."""
_MIN_RADIUS, _MAX_RADIUS = 3, 6
"""Radius of the window, px."""
_SHARE = 0.05
"""... and as a share of the square root of the area of the largest box: wide windows level small objects."""
_SQUARE = 7
"""Side of the square, px."""
_AGREEMENT = 0.8
"""IoU of the foreground of a box by either filter, from which the guided one is taken."""

Float = npt.NDArray[np.float32]


def guided_filter(odds: Float, image: npt.NDArray[np.uint8], rects: Rects, level: float) -> Float:
    """Guided filter over the log-odds, in each box replaced by the box filter where the two disagree.

    Args:
        odds: float32 (H, W), of a part of the frame.
        image: uint8 (H, W, 3), BGR, the same part.
        rects: int64 (M, 4), the boxes there, M > 0, none empty.
        level: foreground is above this.

    Returns:
        float32 (H, W).
    """
    guide = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY)
    # Not at half scale, which is twice as fast: OpenCV's resize gives other last bits on other processors.
    guided: Float = cv2.ximgproc.guidedFilter(guide, odds, _radius(rects), _SMOOTHNESS)
    plain = box_filter(odds)
    one, other = guided > level, plain > level
    for x0, y0, x1, y1 in rects.tolist():
        box = np.s_[y0:y1, x0:x1]
        both, either = np.count_nonzero(one[box] & other[box]), np.count_nonzero(one[box] | other[box])
        if both < _AGREEMENT * either:
            guided[box] = plain[box]
    return guided


def box_filter(odds: Float) -> Float:
    """Box filter: means of the log-odds over squares, float32 (H, W)."""
    means: Float = cv2.blur(odds, (_SQUARE, _SQUARE))
    return means


def _radius(rects: Rects) -> int:
    """Radius of the window for a patch with these boxes, px."""
    area = int(np.prod(rects[:, 2:] - rects[:, :2], axis=1).max())
    return min(max(round(_SHARE * math.sqrt(area)), _MIN_RADIUS), _MAX_RADIUS)

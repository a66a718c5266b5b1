"""Odds averaged along the edges of the image: over many pixels, and yet not across outlines.

The guided filter (He, Sun and Tang, PAMI 2013) over the odds, with the frame itself as guide, fits in every
window a straight line from brightness to odds: inside an object or beside it this is a mean, at an outline it
follows the outline. Filtering a cost before each pixel decides for itself, in place of a graph cut, is
cost-volume filtering (Rhemann et al., CVPR 2011). Edges are not always outlines, so each box is checked
against the mean over a square, and keeps that where the two are far apart.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Rects

_SMOOTHNESS = 0.004 * 255.0**2
"""Brightness with less variance than this in a window, squared grey levels, has no edges worth following."""
_NARROWEST, _WIDEST = 3, 6
"""Radius of the window, px."""
_SHARE = 0.05
"""... and as a share of the square root of the area of the largest box: wide windows level small objects."""
_SQUARE = 7
"""Side of the square, px."""
_AGREEMENT = 0.8
"""IoU of the foreground of a box by either mean, from which edges are believed."""

Float = npt.NDArray[np.float32]


def along_edges(odds: Float, image: npt.NDArray[np.uint8], rects: Rects, level: float) -> Float:
    """Means of the odds, along edges where these can be believed.

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
    by_edges: Float = cv2.ximgproc.guidedFilter(guide, odds, _radius(rects), _SMOOTHNESS)
    by_square = over_squares(odds)
    mine, other = by_edges > level, by_square > level
    for x0, y0, x1, y1 in rects.tolist():
        box = np.s_[y0:y1, x0:x1]
        both, either = np.count_nonzero(mine[box] & other[box]), np.count_nonzero(mine[box] | other[box])
        if both < _AGREEMENT * either:
            by_edges[box] = by_square[box]
    return by_edges


def over_squares(odds: Float) -> Float:
    """Means of the odds over squares: float32 (H, W)."""
    means: Float = cv2.blur(odds, (_SQUARE, _SQUARE))
    return means


def _radius(rects: Rects) -> int:
    """Radius of the window for a patch with these boxes, px."""
    area = int(np.prod(rects[:, 2:] - rects[:, :2], axis=1).max())
    return min(max(round(_SHARE * math.sqrt(area)), _NARROWEST), _WIDEST)

"""How well the outline of a mask follows the true outline, by DAVIS's rules (Perazzi et al., CVPR 2016)."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]

TOLERANCE = 0.008
"""Two outlines agree where they lie within this share of the image's diagonal (DAVIS's ``bound_th``)."""


def boundary_f(predicted: Bool, truth: Bool, valid: Bool | None = None) -> float:
    """Boundary F of one frame: harmonic mean of the shares of either outline that lie near the other.

    Args:
        predicted: bool (H, W), foreground of the mask.
        truth: bool (H, W), true foreground.
        valid: bool (H, W), false where the truth is not known: outlines there do not count, though they may
            serve as the near one; None for everywhere.

    Returns:
        0 to 1; 1 if neither has an outline, 0 if just one has.
    """
    outlines = [outline(predicted), outline(truth)]
    reached = [_widened(line) for line in outlines]
    if valid is not None:
        outlines = [line & valid for line in outlines]
    lengths = [int(np.count_nonzero(line)) for line in outlines]
    if 0 in lengths:
        return float(lengths[0] == lengths[1])
    precision = np.count_nonzero(outlines[0] & reached[1]) / lengths[0]
    recall = np.count_nonzero(outlines[1] & reached[0]) / lengths[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def outline(region: Bool) -> Bool:
    """Pixels that differ from the pixel to the right, below, or below to the right: bool (H, W)."""
    padded = np.pad(region, ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    line: Bool = (here != padded[:-1, 1:]) | (here != padded[1:, :-1]) | (here != padded[1:, 1:])
    return line


def _widened(line: Bool) -> Bool:
    """The pixels within the tolerance of a line; a disk of whole pixels."""
    radius = math.ceil(TOLERANCE * math.hypot(*line.shape))
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    near: Bool = cv2.dilate(line.view(np.uint8), disk).view(np.bool_)
    return near

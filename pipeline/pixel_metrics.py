"""Comparing a mask with pixel ground truth: counts, F-measure, IoU, and CDnet's rule for what counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

CDNET_SHADOW = 50
CDNET_OUTSIDE = 85
CDNET_UNKNOWN = 170
CDNET_MOVING = 255
"""Grey levels of CDnet's ground truth besides 0, static."""


@dataclass(frozen=True)
class PixelCounts:
    """Pixels by verdict; counts of frames add up to those of a video.

    A ratio whose denominator is 0 (nothing to find, nothing found) is 0, as in CDnet's own tool.
    """

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def recall(self) -> float:
        """Found share of the true foreground, 0..1."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """True share of the found foreground, 0..1."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def f_measure(self) -> float:
        """Harmonic mean of recall and precision, 0..1."""
        errors = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + errors)

    @property
    def iou(self) -> float:
        """Intersection over union of found and true foreground, 0..1."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive + self.false_negative)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def count_pixels(found: Mask, truth: Mask, valid: Mask) -> PixelCounts:
    """Compare one frame.

    Args:
        found: bool (H, W), what a method calls foreground.
        truth: bool (H, W), what is foreground.
        valid: bool (H, W), pixels that count.
    """
    hits = int(np.count_nonzero(found & truth & valid))
    positives, found_valid = int(np.count_nonzero(truth & valid)), int(np.count_nonzero(found & valid))
    counted = int(np.count_nonzero(valid))
    return PixelCounts(
        true_positive=hits,
        false_positive=found_valid - hits,
        false_negative=positives - hits,
        true_negative=counted - positives - found_valid + hits,
    )


def cdnet_truth(labels: npt.NDArray[np.uint8], region: Mask | None = None) -> tuple[Mask, Mask]:
    """Read a CDnet ground-truth image.

    Args:
        labels: uint8 (H, W) of 0 static, 50 shadow, 85 outside the region, 170 unknown, 255 moving.
        region: bool (H, W), the spatial region of interest; None counts everything.

    Returns:
        Foreground and validity, both bool (H, W): shadow is background, 85 and 170 do not count.
    """
    valid = (labels != CDNET_OUTSIDE) & (labels != CDNET_UNKNOWN)
    if region is not None:
        valid &= region
    return labels == CDNET_MOVING, valid

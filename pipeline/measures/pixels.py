"""Counting foreground pixels against ground truth, by CDnet's rules (Wang et al., CVPRW 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import FOREGROUND, UNKNOWN

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels of one or more frames; add the counts of frames to pool them.

    A ratio whose denominator is 0 is NaN: nothing was asked or nothing answered, and no number would be
    true. ``f_measure`` and ``iou`` are 0 as soon as there is any foreground to find or any found by mistake.

    Attributes:
        tp: foreground found.
        fp: background taken for foreground.
        fn: foreground missed.
        tn: background left alone.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP); NaN if nothing was called foreground."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); NaN if there is no foreground."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f_measure(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; NaN if all three are 0."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN) of the foreground; NaN if all three are 0."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)


def count(
    mask: UInt8, truth: Bool, valid: Bool, unknown: Literal["background", "skip"] = "background"
) -> PixelCounts:
    """Compare a mask with the truth.

    Args:
        mask: uint8 (H, W), 0 background, 1 foreground, 255 unknown.
        truth: bool (H, W), true where there is foreground.
        valid: bool (H, W), false where the ground truth says nothing.
        unknown: how to count the mask's unknown pixels. A published figure lets no method choose the pixels
            it is judged on, so they count as background by default; ``skip`` tells how good the pixels are
            that the mask does commit itself to.

    Returns:
        Counts over the valid pixels.

    Raises:
        ValueError: the shapes differ, or the mask has other values.
    """
    if not mask.shape == truth.shape == valid.shape:
        raise ValueError(f"shapes differ: mask {mask.shape}, truth {truth.shape}, valid {valid.shape}")
    predicted, left_open = mask == FOREGROUND, mask == UNKNOWN
    if not (predicted | left_open | (mask == 0)).all():
        raise ValueError(f"mask values must be 0, {FOREGROUND} or {UNKNOWN}, got {np.unique(mask).tolist()}")
    if unknown == "skip":
        valid = valid & ~left_open
    code = (2 * truth.astype(np.uint8) + predicted)[valid]
    tn, fp, fn, tp = np.bincount(code, minlength=4).tolist()
    return PixelCounts(tp=tp, fp=fp, fn=fn, tn=tn)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")

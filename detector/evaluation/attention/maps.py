"""Attention maps as foreground masks: min-max normalised, cut at a threshold, counted by CDnet's rules.

This is how SpotNet was compared with background subtraction (Perreault et al., CRV 2020, section IV-D and
table III), there with the boxes that were found as a mask on top
(:mod:`spotlabel.detector.evaluation.attention.boxes`). The released scripts cut at 0.67; whether the maps
behind the published figure were smoothed is not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.detector.evaluation.matching import Bool
from spotlabel.detector.evaluation.records import Int64
from spotlabel.pipeline.measures.pixels import PixelCounts

THRESHOLD = 0.67
"""Threshold of the released scripts."""

SWEEP = tuple(round(0.05 * k, 2) for k in range(1, 20))
"""Thresholds that F is plotted against."""

GREYS = np.arange(256) / 255


def normalise_attention(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Stretch an attention map to the range from 0 to 1, by its own extremes.

    Args:
        logits: floats (H, W), the segmentation logits of one image without padding.

    Returns:
        float32 (H, W) in [0, 1], lowest 0, highest 1; all 0 where every logit is the same.

    Raises:
        ValueError: not a map, or NaN or infinity in it.
    """
    if logits.ndim != 2 or not logits.size:
        raise ValueError(f"an attention map has a height and a width, found shape {logits.shape}")
    wide = logits.astype(np.float64)  # the difference of two float32 may overflow
    low, high = float(wide.min()), float(wide.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("the attention map holds NaN or infinity")
    if low == high:
        return np.zeros(logits.shape, np.float32)
    return ((wide - low) / (high - low)).astype(np.float32)


def attention_greys(attention: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Grey levels of an attention map, as the evaluation reads them: uint8 (H, W) of [0, 1] (H, W)."""
    greys: npt.NDArray[np.uint8] = np.rint(attention * np.float32(255)).astype(np.uint8)
    return greys


@dataclass(frozen=True)
class GreyCounts:
    """Valid pixels by grey level, which answers for every threshold at once; add frames to pool them.

    Attributes:
        background: int64 (256,), pixels that are background.
        foreground: int64 (256,), pixels that are foreground.
    """

    background: Int64
    foreground: Int64

    def __add__(self, other: GreyCounts) -> GreyCounts:
        return GreyCounts(self.background + other.background, self.foreground + other.foreground)

    def at(self, threshold: float) -> PixelCounts:
        """Counts where grey levels above ``threshold`` (in [0, 1]; grey / 255) are called foreground."""
        called = threshold < GREYS
        tp, fp = int(self.foreground[called].sum()), int(self.background[called].sum())
        fn, tn = int(self.foreground[~called].sum()), int(self.background[~called].sum())
        return PixelCounts(tp=tp, fp=fp, fn=fn, tn=tn)


def count_greys(greys: npt.NDArray[np.uint8], truth: Bool, valid: Bool) -> GreyCounts:
    """Count a map against the truth of its frame.

    Args:
        greys: uint8 (H, W), the attention map.
        truth: bool (H, W), true where there is foreground.
        valid: bool (H, W), false where the ground truth says nothing.

    Raises:
        ValueError: the shapes differ.
    """
    if not greys.shape == truth.shape == valid.shape:
        raise ValueError(f"shapes differ: map {greys.shape}, truth {truth.shape}, valid {valid.shape}")
    code = greys[valid].astype(np.int64) + 256 * truth[valid]
    background, foreground = np.bincount(code, minlength=512).reshape(2, 256).astype(np.int64)
    return GreyCounts(background, foreground)

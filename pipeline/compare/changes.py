"""What changed between two masks of one frame. Arrays only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import FOREGROUND, UNKNOWN, Plane, Rects

Counts = npt.NDArray[np.int64]
Ratio = npt.NDArray[np.float64]

_BG, _FG, _UN = 0, 1, 2
_HALVES = np.array([0, 2, 1])
"""Background, foreground and unknown in halves on the way from background to foreground."""


@dataclass(frozen=True)
class Changes:
    """Pixels of N places (boxes or frames) by their value in mask A and in mask B.

    Exchanging A and B exchanges ``gained`` and ``lost`` and what ends in ``_a`` and ``_b``, and leaves
    ``iou`` and ``difference`` as they are.

    Attributes:
        counts: int64 (N, 3, 3), pixels that are ``[i]`` in A and ``[j]`` in B, in the order background,
            foreground, unknown.
    """

    counts: Counts

    @classmethod
    def joined(cls, parts: Iterable[Changes]) -> Changes:
        """The places of all parts, one after the other."""
        return cls(np.concatenate([np.zeros((0, 3, 3), np.int64), *(part.counts for part in parts)]))

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def pixels(self) -> Counts:
        """Pixels of each place, int64 (N,)."""
        return np.asarray(self.counts.sum(axis=(1, 2)))

    @property
    def gained(self) -> Counts:
        """Background in A, foreground in B: int64 (N,)."""
        return self.counts[:, _BG, _FG]

    @property
    def lost(self) -> Counts:
        """Foreground in A, background in B: int64 (N,)."""
        return self.counts[:, _FG, _BG]

    @property
    def to_unknown(self) -> Counts:
        """Known in A, unknown in B: int64 (N,)."""
        return np.asarray(self.counts[:, :_UN, _UN].sum(axis=1))

    @property
    def from_unknown(self) -> Counts:
        """Unknown in A, known in B: int64 (N,)."""
        return np.asarray(self.counts[:, _UN, :_UN].sum(axis=1))

    @property
    def foreground_a(self) -> Counts:
        """Foreground pixels in A, int64 (N,)."""
        return np.asarray(self.counts[:, _FG].sum(axis=1))

    @property
    def foreground_b(self) -> Counts:
        """Foreground pixels in B, int64 (N,)."""
        return np.asarray(self.counts[:, :, _FG].sum(axis=1))

    @property
    def unknown_a(self) -> Counts:
        """Unknown pixels in A, int64 (N,)."""
        return np.asarray(self.counts[:, _UN].sum(axis=1))

    @property
    def unknown_b(self) -> Counts:
        """Unknown pixels in B, int64 (N,)."""
        return np.asarray(self.counts[:, :, _UN].sum(axis=1))

    @property
    def iou(self) -> Ratio:
        """IoU of the foreground over the pixels that are known in both, float64 (N,), 0 to 1.

        NaN where neither mask has foreground among them: there is nothing to compare.
        """
        both = self.counts[:, _FG, _FG]
        return _ratio(both, both + self.gained + self.lost)

    @property
    def difference(self) -> Ratio:
        """How far the masks are apart, float64 (N,), 0 to 1; 0 for a place without pixels.

        Mean over all pixels of the distance between the values, with unknown halfway between background and
        foreground: 0 only where nothing changed, 1 where all foreground became background or the reverse.
        """
        halves = np.abs(_HALVES[:, None] - _HALVES[None, :])
        return np.nan_to_num(_ratio((self.counts * halves).sum(axis=(1, 2)), 2 * self.pixels))


def frame_changes(a: Plane, b: Plane, rects: Rects) -> tuple[Changes, Changes]:
    """Compare two masks of one frame.

    Args:
        a: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        b: likewise.
        rects: int64 (N, 4), boxes as whole pixels inside the image; one without pixels counts none.

    Returns:
        Changes of the frame (one place) and of the N boxes.

    Raises:
        ValueError: the shapes differ, or a mask has other values.
    """
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    code = 3 * _levels(a) + _levels(b)
    crops = [code[y0:y1, x0:x1] for x0, y0, x1, y1 in rects.tolist()]
    return _counted([code]), _counted(crops)


def _levels(mask: Plane) -> Plane:
    """Values 0, 1, 255 as 0, 1, 2."""
    if ((mask > FOREGROUND) & (mask != UNKNOWN)).any():
        raise ValueError(f"mask values must be 0, {FOREGROUND} or {UNKNOWN}, got {np.unique(mask).tolist()}")
    return np.minimum(mask, np.uint8(_UN))


def _counted(codes: list[Plane]) -> Changes:
    counts = [np.bincount(code.ravel(), minlength=9).reshape(3, 3) for code in codes]
    return Changes(np.array(counts, np.int64).reshape(-1, 3, 3))


def _ratio(part: Counts, whole: Counts) -> Ratio:
    """Quotient, NaN where the whole is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)

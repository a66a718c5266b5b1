"""Boxes and regions of a sequence, in columns: one currency for readers, stores and training."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


_Number = TypeVar("_Number", bound=np.number[Any])


def clip_boxes(xyxy: npt.NDArray[_Number], size: tuple[int, int]) -> npt.NDArray[_Number]:
    """Boxes cut at the image border.

    Args:
        xyxy: (N, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based.
        size: height and width of the image.

    Returns:
        (N, 4) of the same dtype; a box outside the image has no area left.
    """
    height, width = size
    clipped: npt.NDArray[_Number] = np.clip(xyxy, 0, np.array([width, height, width, height], xyxy.dtype))
    return clipped


SMALL_AREA, LARGE_AREA = 32**2, 96**2
"""Areas in px at which COCO's small and medium objects end (Lin et al., 2014)."""
SIZES = ("small", "medium", "large")


def size_of(box: Float32) -> str:
    """Which of :data:`SIZES` a box is, float32 (4,)."""
    width, height = (box[2:].astype(np.float64) - box[:2]).tolist()
    area = max(width, 0) * max(height, 0)
    return SIZES[int(np.digitize(area, [SMALL_AREA, LARGE_AREA]))]


class BoxFlag(IntFlag):
    """Bits of :attr:`BoxTable.flags`."""

    CLIPPED = 1
    """The native box left the image and was cut at its border."""
    TRUNCATED = 2
    """The annotation says that part of the object is outside the image."""
    OCCLUDED = 4
    """The annotation says that part of the object is hidden."""
    DERIVED = 8
    """Not annotated by anyone: derived from ground-truth pixels."""


@dataclass(frozen=True)
class BoxTable:
    """Boxes of T frames, all columns N long, frame ``i`` owning rows ``offsets[i]:offsets[i + 1]``.

    Attributes:
        offsets: int64 (T + 1,), starts at 0, never falls, ends at N.
        xyxy: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based, half-open, inside the image.
        class_id: int16 (N,), index into the sequence's class names.
        track_id: int64 (N,), -1 where there is none.
        flags: uint8 (N,), bits of :class:`BoxFlag`.
    """

    offsets: npt.NDArray[np.int64]
    xyxy: Float32
    class_id: npt.NDArray[np.int16]
    track_id: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        lengths = {len(self.class_id), len(self.track_id), len(self.flags), int(self.offsets[-1])}
        if self.xyxy.shape != (n, 4) or lengths != {n}:
            raise ValueError(f"box columns disagree: xyxy {self.xyxy.shape}, other lengths {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self, index: int) -> slice:
        """Rows of frame ``index`` (0-based position, not frame number)."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def at(self, index: int) -> Float32:
        """Boxes of frame ``index``: float32 (n, 4)."""
        return self.xyxy[self.rows(index)]


@dataclass(frozen=True)
class RegionTable:
    """Ignore regions of T frames as rectangles; layout as in :class:`BoxTable`.

    Attributes:
        offsets: int64 (T + 1,).
        xyxy: float32 (M, 4), pixel edges, 0-based, half-open, inside the image.
    """

    offsets: npt.NDArray[np.int64]
    xyxy: Float32

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def at(self, index: int) -> Float32:
        """Regions of frame ``index``: float32 (m, 4)."""
        return self.xyxy[int(self.offsets[index]) : int(self.offsets[index + 1])]

    @classmethod
    def static(cls, xyxy: Float32, frames: int) -> RegionTable:
        """The same regions (M, 4) in every one of ``frames`` frames."""
        regions = np.asarray(xyxy, np.float32).reshape(-1, 4)
        offsets = np.arange(frames + 1, dtype=np.int64) * len(regions)
        return cls(offsets, np.tile(regions, (frames, 1)))

    @classmethod
    def per_frame(cls, regions: Seq[Float32]) -> RegionTable:
        """One array (m, 4) per frame."""
        offsets = np.concatenate([[0], np.cumsum([len(r) for r in regions])]).astype(np.int64)
        rows = [np.asarray(r, np.float32).reshape(-1, 4) for r in regions]
        return cls(offsets, np.concatenate([*rows, np.zeros((0, 4), np.float32)]))

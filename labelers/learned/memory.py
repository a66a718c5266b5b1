"""What is kept of a video between two passes over it: numbers and boxes of its frames, and packed masks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame


class NotedClip:
    """A clip that notes number and boxes of the frames it hands out, in the latest pass over all frames."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.frames: list[tuple[int, npt.NDArray[np.float32]]] = []

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._clip.size

    @property
    def step(self) -> int:
        """Difference between the numbers of neighbouring frames."""
        return self._clip.step

    def __len__(self) -> int:
        """Number of frames, those that cannot be read included."""
        return len(self._clip)

    def __iter__(self) -> Iterator[ClipFrame]:
        self.frames = []
        for frame in self._clip:
            self.frames.append((frame.number, frame.boxes))
            yield frame

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        """Every n-th frame from the first, as far as these can be read."""
        return self._clip.sampled(every)


@dataclass(frozen=True)
class PackedMask:
    """A mask, bool (H, W), in some kilobytes at most: what boxes hold is of one piece."""

    data: bytes
    shape: tuple[int, ...]

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_]) -> PackedMask:
        """Pack a mask."""
        return cls(zlib.compress(np.packbits(mask).tobytes(), 1), mask.shape)

    def mask(self) -> npt.NDArray[np.bool_]:
        """The mask again."""
        packed = np.frombuffer(zlib.decompress(self.data), np.uint8)
        bits = np.unpackbits(packed, count=int(np.prod(self.shape)))
        return bits.reshape(self.shape).astype(np.bool_)

"""One video as its labeler sees it: the frames that can be read, with their boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spotlabel.labelers.base import ClipFrame
from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames import prefetch
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Image, Sequence

PREFETCHED_FRAMES = 8
"""Frames decoded ahead of the labeler: enough to hide decoding, 12 MB at 960x540."""


class SequenceClip:
    """The readable frames of a sequence, as a labeler sees them.

    Attributes:
        readable: positions of the frames handed out in the latest pass over all frames.
        unreadable: positions of bad frames with the reason, in the latest pass over all frames.
    """

    def __init__(self, sequence: Sequence, options: FrameOptions, annotations: Annotations | None) -> None:
        self._sequence = sequence
        self._options = options
        self._annotations = annotations
        self.readable: list[int] = []
        self.unreadable: dict[int, FrameError] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._sequence.frames.size

    @property
    def step(self) -> int:
        """Difference between the numbers of neighbouring frames."""
        return self._sequence.frames.step

    def __len__(self) -> int:
        """Number of frames, those that cannot be read included."""
        return len(self._sequence.frames)

    def __iter__(self) -> Iterator[ClipFrame]:
        self.readable, self.unreadable = [], {}
        numbers = self._sequence.frames.numbers
        for index, item in self._items(1):
            if isinstance(item, FrameError):
                self.unreadable[index] = item
                continue
            self.readable.append(index)
            yield self._frame(int(numbers[index]), index, item)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        """Every n-th frame from the first, as far as these can be read."""
        numbers = self._sequence.frames.numbers
        for index, item in self._items(every):
            if not isinstance(item, FrameError):
                yield self._frame(int(numbers[index]), index, item)

    def _items(self, every: int) -> Iterator[tuple[int, Image | FrameError]]:
        """Every n-th position with what is read there; raises for what cannot be if that is the policy."""
        for rank, item in enumerate(prefetch(self._sequence.frames.stream(every), PREFETCHED_FRAMES)):
            index = rank * every
            if isinstance(item, FrameError) and self._options.on_bad == "fail":
                raise FrameError(
                    f"frame {self._sequence.frames.numbers[index]}: {item} "
                    "(mend it, or set frames.on_bad=unknown to go on with its mask unknown)"
                ) from item
            yield index, item

    def _frame(self, number: int, index: int, image: Image) -> ClipFrame:
        if self._annotations is None:
            return ClipFrame(number, image, np.zeros((0, 4), np.float32))
        boxes, regions = self._annotations.boxes.at(index), self._annotations.regions.at(index)
        return ClipFrame(number, image, boxes, regions)

"""What a detector can look at: a dataset's sequence, a video file, a folder of images, images one by one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.decode import DECODER_VERSION, decode
from spotlabel.pipeline.frames.folder import turns
from spotlabel.pipeline.frames.oddities import Oddities
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.prefetch import prefetch
from spotlabel.pipeline.inputs import read_input
from spotlabel.pipeline.sequence import Image, Sequence

_LAST_DIGITS = re.compile(r"\d+(?=\D*$)", re.ASCII)


class Frames(Protocol):
    """What detection needs of :class:`spotlabel.pipeline.sequence.FrameSource`; images may differ in size."""

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 (T,), rising."""

    def __len__(self) -> int: ...

    def files(self) -> list[Path]:
        """Every file whose bytes decide the frames."""

    def identity(self) -> Mapping[str, object]:
        """JSON-able facts beside the files' bytes that decide the frames."""

    def stream(self) -> Iterator[Image | FrameError]:
        """All frames in order; in place of an unreadable one the error that tells why."""


class ImageList:
    """Image files of any sizes, in a given order.

    Their numbers are the last digits of their names where these rise, else 1, 2, 3...
    """

    def __init__(self, paths: list[Path], orientation: Literal["upright", "stored"] = "upright") -> None:
        """Take the files as they are; no pixel is read.

        Args:
            paths: the files.
            orientation: whether EXIF orientations are followed.
        """
        self._paths = paths
        self._options = FrameOptions(grey="convert", orientation=orientation)
        self._oddities = Oddities(self._options)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 (T,), rising."""
        found = [_LAST_DIGITS.search(path.stem) for path in self._paths]
        named = [int(match[0][-18:]) for match in found if match]
        if len(named) == len(self._paths) and all(a < b for a, b in pairwise(named)):
            return np.array(named, np.int64)
        return np.arange(1, len(self._paths) + 1)

    def files(self) -> list[Path]:
        """The image files."""
        return list(self._paths)

    def identity(self) -> Mapping[str, object]:
        """How the files are decoded."""
        return {"source": "image list", "decoder": DECODER_VERSION}

    @property
    def orientation(self) -> str:
        """Whether orientation tags are followed."""
        return self._options.orientation

    def tags(self) -> dict[str, object]:
        """What following orientation tags, or not, changes; reads the head of every file."""
        return turns(self._paths, self._options.orientation)

    def read(self, index: int) -> Image:
        """Image at a position: uint8 (H, W, 3), BGR; grey images are repeated into three channels.

        Raises:
            FrameError: the file is missing, or no whole image.
        """
        path = self._paths[index]
        try:
            data = read_input(path)
        except OSError as error:
            raise FrameError(f"{path}: cannot be read: {error.strerror or error}") from error
        decoded = decode(data, str(path), self._options)
        self._oddities.note(index, decoded)
        return decoded.image

    def tell(self) -> None:
        """Warn, once, of what was odd about images that have been read."""
        self._oddities.tell(lambda index: self._paths[index])

    def stream(self) -> Iterator[Image | FrameError]:
        """All images in order, a :class:`FrameError` in place of each that cannot be read."""
        for index in range(len(self)):
            yield _image_or_error(self.read, index)
        self.tell()


@dataclass(frozen=True)
class Clip:
    """One sequence to look at.

    Attributes:
        name: what its results are called; data, never used as a path.
        frames: where the images come from.
        skip_bad: a frame that cannot be read is left out; else it fails the sequence.
        sequence: the dataset's sequence it is, if it is one.
        split: of still pictures, the list that names them.
    """

    name: str
    frames: Frames
    skip_bad: bool = False
    sequence: Sequence | None = None
    split: str = ""

    def annotated(self) -> set[int]:
        """Numbers of the frames that have a ground-truth box; none without annotations.

        Raises:
            DatasetError: annotation files that cannot be used.
        """
        if self.sequence is None:
            return set()
        counts = np.diff(self.sequence.load().boxes.offsets)
        return set(self.frames.numbers[counts > 0].tolist())

    def image_files(self) -> dict[int, Path]:
        """The image file of every frame number that has one; empty for videos."""
        if isinstance(self.frames, ImageList):
            numbers = self.frames.numbers.tolist()
        elif isinstance(self.frames, ImageFolder):
            missing = self.frames.identity()["missing"]
            assert isinstance(missing, list)
            numbers = [number for number in self.frames.numbers.tolist() if number not in set(missing)]
        else:
            return {}
        return dict(zip(numbers, self.frames.files(), strict=True))

    def image_ids(self) -> dict[int, int]:
        """COCO ids of the pictures, by frame number: the n-th picture of a clip has id n, from 1.

        So the same pictures have the same ids whether they are named on the command line or by a recipe, and
        whatever a dataset calls its first frame. A frame whose file is missing counts for nothing, one that
        cannot be read counts.
        """
        numbers = sorted(self.image_files()) or self.frames.numbers.tolist()
        return {number: place for place, number in enumerate(numbers, start=1)}

    def read(self, threads: int) -> Iterator[Image | FrameError]:
        """All frames in order, decoded ahead in the background.

        Args:
            threads: image files decoded at a time; a video is decoded by one thread.
        """
        if isinstance(self.frames, ImageList | ImageFolder):
            yield from _ahead(self.frames.read, len(self.frames), threads)
            self.frames.tell()
        else:
            yield from prefetch(self.frames.stream(), depth=8)


def _image_or_error(read: Callable[[int], Image], index: int) -> Image | FrameError:
    try:
        return read(index)
    except FrameError as error:
        return error


def _ahead(read: Callable[[int], Image], count: int, threads: int) -> Iterator[Image | FrameError]:
    """Results of ``read(0)`` to ``read(count - 1)`` in order; at most 2 a thread wait to be taken."""
    waiting: deque[Future[Image | FrameError]] = deque()
    with ThreadPoolExecutor(threads, "decode") as pool:
        try:
            for index in range(count):
                waiting.append(pool.submit(_image_or_error, read, index))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

"""Frames of a video that is stored as one image file per frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import DatasetError, FrameError, MissingFrameError
from spotlabel.pipeline.frames.decode import DECODER_VERSION, Decoded, decode, valid
from spotlabel.pipeline.frames.decoders import image_decoders
from spotlabel.pipeline.frames.exif import is_tiff, orientation_tag
from spotlabel.pipeline.frames.oddities import Oddities
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.orientation import AS_STORED
from spotlabel.pipeline.frames.shape import Shape
from spotlabel.pipeline.inputs import open_input, read_input
from spotlabel.pipeline.sequence import Image

MAX_FRAMES = 10_000_000
"""More positions than this (first to last number) are taken for a misread file name."""


def scan_images(folder: Path, pattern: re.Pattern[str] | str) -> dict[int, Path]:
    """Find the numbered images of a folder.

    Args:
        folder: where the images are; subfolders are not entered.
        pattern: matches a whole file name; its group ``number``, or else its first group, is the frame
            number. Other files are left alone.

    Returns:
        Path of every frame number, in rising order.

    Raises:
        DatasetError: no such folder, no image in it, or two images of one number.
    """
    matcher = re.compile(pattern)
    group: int | str = "number" if "number" in matcher.groupindex else 1
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DatasetError.at(folder, "", f"expected a folder of images: {error.strerror}") from error
    by_number: dict[int, Path] = {}
    for path in entries:
        match = matcher.fullmatch(path.name)
        if match is None:
            continue
        number = int(match[group])
        if number in by_number:
            problem = f"two images have frame number {number}: {by_number[number].name} and {path.name}"
            raise DatasetError.at(folder, "", problem, "keep one of them")
        by_number[number] = path
    if not by_number:
        problem = f"no image found, looked for file names like {matcher.pattern}"
        raise DatasetError.at(folder, "", problem)
    return dict(sorted(by_number.items()))


class ImageFolder:
    """Frames of numbered image files; implements :class:`spotlabel.pipeline.sequence.FrameSource`.

    The step is the greatest common divisor of the differences between the numbers that exist, so a folder
    with every tenth frame has step 10 and no gaps. A number inside this grid without a file has a position,
    and reading it raises :class:`MissingFrameError`.
    """

    def __init__(
        self, files: Mapping[int, Path], options: FrameOptions, absent: Mapping[int, Path] | None = None
    ) -> None:
        """Take the files as they are; no pixel is read.

        Args:
            files: path of every frame number that exists; at least one.
            options: how to decode.
            absent: files that an annotation file names and that do not exist, by frame number.

        Raises:
            DatasetError: no files, or numbers so far apart that they cannot be those of one video.
        """
        if not files:
            raise DatasetError("an image sequence needs at least one image file")
        self._files = dict(sorted(files.items()))
        self._options = options
        self._oddities = Oddities(options)
        self._absent = dict(absent or {})
        existing = sorted({*self._files, *self._absent})
        first, last = existing[0], existing[-1]
        self._step = math.gcd(*(number - first for number in existing)) or 1
        count = (last - first) // self._step + 1
        if count > MAX_FRAMES:
            problem = f"frame numbers run from {first} to {last} in steps of {self._step}"
            path = self._files.get(last) or self._absent[last]
            raise DatasetError.at(path, "", problem, "is the number in the file name right?")
        self._numbers = first + self._step * np.arange(count, dtype=np.int64)
        self._numbers.flags.writeable = False

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 (T,), read-only."""
        return self._numbers

    @property
    def step(self) -> int:
        """Difference between neighbouring frame numbers."""
        return self._step

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame that can be read, as :attr:`orientation` says.

        Raises:
            DatasetError: not a single frame can be read; tells why the first one cannot.
        """
        return self.shape().size

    @cached_property
    def _shape(self) -> Shape:
        reason: FrameError | None = None
        for path in self._files.values():
            try:
                decoded = self._decode(path)
            except FrameError as error:
                reason = reason or error
            else:
                return Shape(decoded.stored, decoded.orientation, self._options.orientation)
        raise DatasetError(f"none of {len(self._files)} images can be read; the first: {reason}") from reason

    def files(self) -> list[Path]:
        """The image files in frame order; missing frames have none."""
        return list(self._files.values())

    def identity(self) -> dict[str, object]:
        """Numbering, missing numbers and decoding rules; JSON-able, without paths.

        Which way pictures are turned is in :meth:`tags`.
        """
        numbers = self._numbers
        missing = [int(n) for n in numbers if int(n) not in self._files]
        return {
            "source": "images",
            "first": int(numbers[0]),
            "last": int(numbers[-1]),
            "step": self._step,
            "missing": missing,
            "grey": self._options.grey,
            "decoder": DECODER_VERSION,
            **self._options.beyond_default("odd_ends"),
        }

    def decoders(self) -> list[str]:
        """Distributions that decode the images; reads the first bytes of every file."""
        return image_decoders(self._files.values())

    @property
    def orientation(self) -> str:
        """Whether orientation tags are followed."""
        return self._options.orientation

    def tags(self) -> dict[str, object]:
        """What following orientation tags, or not, changes; reads the head of every file."""
        return turns(self._files.values(), self._options.orientation)

    def shape(self) -> Shape:
        """Sizes of the first frame that can be read, as stored and as seen; raises as :attr:`size`."""
        return self._shape

    def read(self, index: int) -> Image:
        """Frame at a position: uint8 (H, W, 3), BGR.

        Raises:
            MissingFrameError: there is no file for this number.
            FrameError: not decodable whole, or of another size than the first readable frame.
            IndexError: no such position.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"position {index} of {len(self)} frames")
        number = int(self._numbers[index])
        path = self._files.get(number)
        if number in self._absent:
            raise MissingFrameError(f"{self._absent[number]}: the image is missing")
        if path is None:
            other = next(iter(self._files.values()))
            problem = f"the image of frame {number} is missing (others are named like {other.name})"
            raise MissingFrameError(f"{other.parent}: {problem}")
        decoded = self._decode(path)
        found = (decoded.image.shape[0], decoded.image.shape[1])
        if found != self.size:
            shape = Shape(decoded.stored, decoded.orientation, self._options.orientation)
            raise FrameError(
                f"{path}: expected height x width {_times(self.size)} like the frames before, "
                f"got {_times(found)}{shape.because(self.size)}"
            )
        self._oddities.note(index, decoded)
        return decoded.image

    def tell(self) -> None:
        """Warn, once, of what was odd about images that have been read."""
        self._oddities.tell(lambda index: self._files[int(self._numbers[index])])

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        """Every n-th frame in order, a :class:`FrameError` in place of each that cannot be read."""
        for index in range(0, len(self), every):
            try:
                yield self.read(index)
            except FrameError as error:
                yield error
        if every == 1:
            self.tell()

    def _decode(self, path: Path) -> Decoded:
        try:
            data = read_input(path)
        except OSError as error:
            raise FrameError(f"{path}: cannot be read: {error.strerror or error}") from error
        return decode(data, str(path), self._options)


def turns(files: Iterable[Path], orientation: str) -> dict[str, object]:
    """What following the orientation tags of image files, or not, changes.

    Images were once read as stored, and TIFF files upright: that is what needs no mention.

    Args:
        files: those that cannot be read have no tag.
        orientation: ``upright`` or ``stored``.

    Returns:
        ``{"orientation": orientation}``, or nothing if the images would be the same either way.
    """
    for path in files:
        try:
            with open_input(path) as file:
                turned = valid(orientation_tag(file) or AS_STORED) != AS_STORED
                tiff = turned and is_tiff(file)
        except OSError:
            continue
        if turned and tiff == (orientation == "stored"):
            return {"orientation": orientation}
    return {}


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))

"""Frames as numbered image files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.datasets.base import FrameOptions
from pipeline.errors import DatasetError, FrameError, MissingFrameError
from pipeline.frames.decode import DECODER_VERSION, decode_image
from pipeline.sequence import Image


def scan_images(folder: Path, pattern: str | re.Pattern[str]) -> dict[int, Path]:
    """Image files of a folder by frame number.

    Args:
        folder: where to look; not below it.
        pattern: matched against the whole file name; its first group is the frame number.

    Returns:
        Number to path, in rising order of the numbers.

    Raises:
        DatasetError: no such folder, no file of that form, or two files of one number.
    """
    wanted = re.compile(pattern)
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise DatasetError.at(folder, "", f"cannot be listed: {error.strerror}") from error
    found: dict[int, Path] = {}
    for name in names:
        match = wanted.fullmatch(name)
        if match is None:
            continue
        number = int(match.group(1))
        if number in found:
            raise DatasetError.at(folder, "", f"frame {number} stands twice: {found[number].name} and {name}")
        found[number] = folder / name
    if not found:
        raise DatasetError.at(folder, "", f"no images; expected file names of the form {wanted.pattern}")
    return dict(sorted(found.items()))


class ImageFolder:
    """Frames that lie as one image file each; a :class:`pipeline.sequence.FrameSource`.

    The numbering's step is the greatest common divisor of the gaps, so a folder that holds every tenth
    frame has no holes, while a single file missing from a full folder leaves one.

    Args:
        files: frame number to image file, at least one.
        options: how images are decoded.
    """

    def __init__(self, files: Mapping[int, Path], options: FrameOptions) -> None:
        self._files = dict(sorted(files.items()))
        self._options = options
        existing = np.array(list(self._files), np.int64)
        self.step = max(1, math.gcd(*np.diff(existing).tolist()))
        self.numbers: npt.NDArray[np.int64] = np.arange(existing[0], existing[-1] + 1, self.step)

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the first readable frame.

        Raises:
            DatasetError: no frame can be read.
        """
        first = ""
        for path in self._files.values():
            try:
                height, width = self._decode(path).shape[:2]
            except FrameError as error:
                first = first or str(error)
                continue
            return height, width
        folder = next(iter(self._files.values())).parent
        raise DatasetError.at(
            folder, "", f"none of {len(self._files)} images can be read; the first: {first}"
        )

    def files(self) -> list[Path]:
        """The image files in frame order."""
        return list(self._files.values())

    def identity(self) -> Mapping[str, object]:
        """Numbering and decoding rules."""
        return {
            "numbers": [int(self.numbers[0]), int(self.numbers[-1]), self.step],
            "missing": [int(n) for n in self.numbers if int(n) not in self._files],
            "grey": self._options.grey,
            "decoder": DECODER_VERSION,
        }

    def read(self, index: int) -> Image:
        """Frame at a position: uint8 (H, W, 3) BGR.

        Raises:
            MissingFrameError: there is no file for this number.
            FrameError: the file cannot be decoded whole, or has another size than the first frame.
        """
        number = int(self.numbers[index])
        if number not in self._files:
            near = next(iter(self._files.values()))
            raise MissingFrameError(
                f"{near.parent}: no image for frame {number} (files are named like {near.name})"
            )
        path = self._files[number]
        image = self._decode(path)
        if image.shape[:2] != self.size:
            (height, width), (found_height, found_width) = self.size, image.shape[:2]
            raise FrameError(
                f"{path}: {found_width}x{found_height} pixels, the first frame has {width}x{height}"
            )
        return image

    def stream(self) -> Iterator[Image | FrameError]:
        """All frames in order, an error in place of an unreadable one."""
        for index in range(len(self)):
            try:
                yield self.read(index)
            except FrameError as error:
                yield error

    def _decode(self, path: Path) -> Image:
        try:
            return decode_image(path.read_bytes(), self._options.grey)
        except OSError as error:
            raise FrameError(f"{path}: cannot be read: {error.strerror}") from error
        except FrameError as error:
            raise FrameError(f"{path}: {error}") from error

"""What is known of a still picture before it is read, and what reading it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from spotlabel.detector.data.frames import FrameList
from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames.decode import Decoded, decode
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.shape import Shape, wide
from spotlabel.pipeline.inputs import read_input

UInt8 = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

FOREGROUND, UNKNOWN = np.uint8(1), np.uint8(255)


class MaskSource(Protocol):
    """Where the mask of a picture comes from."""

    def read(self, size: tuple[int, int]) -> UInt8:
        """The mask: uint8 (H, W), 0 background, 1 foreground, 255 unknown.

        Raises:
            DatasetError: cannot be read, or is not of ``size`` (height, width).
        """


@dataclass(frozen=True)
class Picture:
    """One picture of a dataset, not read yet.

    Attributes:
        path: the image file.
        size: height and width that the annotations claim.
        boxes: float32 (N, 4), x0, y0, x1, y1 in pixel edges, 0-based, inside the picture.
        class_id: int64 (N,), index into the detector's class names.
        ignore: float32 (M, 4), where objects stand that count neither as found nor as missed (``difficult``
            of VOC, ``crowd`` of COCO).
        mask: where its mask comes from; None if nobody made one.
    """

    path: Path
    size: tuple[int, int]
    boxes: Float32
    class_id: Int64
    ignore: Float32
    mask: MaskSource | None = None


@dataclass(frozen=True)
class Still:
    """A picture as it lies on disk.

    Attributes:
        image: uint8 (H, W, 3) BGR.
        mask: uint8 (H, W), 0 background, 1 foreground, 255 unknown; None if nobody made one.
        boxes, class_id, ignore: as in :class:`Picture`.
    """

    image: UInt8
    mask: UInt8 | None
    boxes: Float32
    class_id: Int64
    ignore: Float32


class Stills(Protocol):
    """Pictures under one index; cheap to send to loader processes, which do the reading."""

    def __len__(self) -> int: ...

    def sizes(self) -> Int64:
        """Height and width of every picture, int64 (N, 2), without reading one."""

    def read(self, index: int) -> Still:
        """One picture.

        Raises:
            SpotlabelError: the image or its mask cannot be used.
        """


@dataclass(frozen=True)
class PictureFiles:
    """Pictures from files.

    Attributes:
        pictures: what is known of them.
        orientation: whether EXIF orientations are followed; boxes and masks have to be in the same pixels.
    """

    pictures: Sequence[Picture]
    orientation: Literal["upright", "stored"] = "upright"

    def __len__(self) -> int:
        return len(self.pictures)

    def sizes(self) -> Int64:
        """Height and width of every picture, int64 (N, 2)."""
        return np.array([picture.size for picture in self.pictures], np.int64).reshape(-1, 2)

    def read(self, index: int) -> Still:
        """One picture.

        Raises:
            FrameError: the image cannot be read whole.
            DatasetError: it has another size than its annotations claim, or its mask cannot be used.
        """
        picture = self.pictures[index]
        decoded = _decoded(picture.path, self.orientation)
        image, shape = decoded.image, Shape(decoded.stored, decoded.orientation, self.orientation)
        if shape.size != picture.size:
            because = shape.because(picture.size).replace("frames.", "stills.")
            problem = f"has {wide(shape.size)} pixels, but its annotation {wide(picture.size)}{because}"
            raise DatasetError.at(picture.path, "", problem, "the boxes would not fit the picture")
        mask = picture.mask.read(picture.size) if picture.mask else None
        return Still(image, mask, picture.boxes, picture.class_id, picture.ignore)


@dataclass(frozen=True)
class VideoStills:
    """Frames of labelled videos, each a picture of its own; ignore regions are unknown in their masks."""

    frames: FrameList

    def __len__(self) -> int:
        return len(self.frames)

    def sizes(self) -> Int64:
        """Height and width of every frame, int64 (N, 2)."""
        parts = [np.tile(part.video.masks.size, (len(part.indices), 1)) for part in self.frames.parts]
        return np.concatenate([np.zeros((0, 2), np.int64), *parts]).astype(np.int64)

    def read(self, index: int) -> Still:
        """One frame.

        Raises:
            FrameError, StoreError: the frame or its mask cannot be read.
        """
        frame = self.frames[index]
        return Still(frame.image, frame.mask, frame.boxes, frame.class_id, np.zeros((0, 4), np.float32))


def _decoded(path: Path, orientation: Literal["upright", "stored"]) -> Decoded:
    """An image file; grey ones are repeated into three channels, as public sets hold some."""
    try:
        data = read_input(path)
    except OSError as error:
        raise FrameError(f"{path}: cannot be read: {error.strerror or error}") from error
    return decode(data, str(path), FrameOptions(grey="convert", orientation=orientation))

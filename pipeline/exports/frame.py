"""What is exported of one frame: its objects with their pixels, and the pixels of which nothing is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pixels of an image, as tightly cut as they lie.

    Attributes:
        mask: uint8 (h, w), 1 where they are, else 0; every side has one of them.
        x: column of its first column in the image.
        y: row of its first row in the image.
    """

    mask: Plane
    x: int
    y: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(cv2.countNonZero(self.mask))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``x0, y0, x1, y1`` in pixel edges."""
        height, width = self.mask.shape
        return self.x, self.y, self.x + width, self.y + height

    def paint(self, plane: npt.NDArray[np.generic], value: int) -> None:
        """Set its pixels in an array (H, W), in place."""
        x0, y0, x1, y1 = self.box
        plane[y0:y1, x0:x1][self.mask != 0] = value

    def full(self, size: tuple[int, int]) -> Plane:
        """uint8 (H, W), 1 where they are, of an image of this height and width."""
        plane = np.zeros(size, np.uint8)
        self.paint(plane, 1)
        return plane


def piece_of(plane: Plane, x: int = 0, y: int = 0) -> Piece | None:
    """The pixels of an array that are not 0.

    Args:
        plane: uint8 (h, w), a part of an image or all of it; 0 and 1.
        x: where its first column lies in the image.
        y: where its first row lies.

    Returns:
        None if there are none.
    """
    left, top, width, height = cv2.boundingRect(plane) if plane.size else (0, 0, 0, 0)
    if not width:
        return None
    tight = np.ascontiguousarray(plane[top : top + height, left : left + width])
    return Piece(tight, x + left, y + top)


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object in one frame.

    Attributes:
        row: of its box in the store's table.
        box: ``x0, y0, x1, y1`` in pixel edges, 0-based, as annotated.
        class_id: into the store's class names.
        track_id: -1 if it has none.
        flags: bits of :class:`spotlabel.pipeline.boxes.BoxFlag`.
        score: believability of its mask, 0 to 1; NaN where nothing is said.
        piece: its pixels if ``known``; else the unknown pixels of its box, None if there are none.
        manual: a person decided.
        known: its mask is exported; else nobody knows which pixels of its box it has.
    """

    row: int
    box: tuple[float, float, float, float]
    class_id: int
    track_id: int
    flags: int
    score: float
    piece: Piece | None
    known: bool
    manual: bool = False


@dataclass(frozen=True, slots=True)
class ExportFrame:
    """One frame.

    Attributes:
        index: its position in the video, from 0.
        number: its number in the dataset.
        known: false if nothing is known of it: it was not readable, not annotated, or is of the warm-up.
        instances: objects with a mask, in the order of their boxes. Their pixels do not overlap.
        unknown: objects without one, likewise. Their pieces may overlap each other.
        rest: further unknown pixels, and all of those in ignore regions; None if there are none.
    """

    index: int
    number: int
    known: bool
    instances: tuple[Instance, ...] = ()
    unknown: tuple[Instance, ...] = ()
    rest: Piece | None = None

    def unknown_plane(self, size: tuple[int, int]) -> Plane:
        """All unknown pixels: uint8 (H, W), 1 where nothing is known."""
        if not self.known:
            return np.ones(size, np.uint8)
        plane = np.zeros(size, np.uint8)
        for piece in (self.rest, *(instance.piece for instance in self.unknown)):
            if piece is not None:
                piece.paint(plane, 1)
        return plane

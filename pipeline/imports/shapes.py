"""What a file of another tool says of a frame, whatever its format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Plane

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shape:
    """One object of a picture.

    Attributes:
        place: where it stands in the file, for errors.
        box: ``x0, y0, x1, y1`` in pixel edges, 0-based; None if the file gives none.
        track: the dataset's track, -1 if the file names none.
        row: of its box among those of the frame, as an export counts them; None if the file does not say.
        untracked: the same among the boxes of the frame that have no track.
        label: its class as the file calls it; empty if the file does not say.
        odd_track: the file names a track that is no whole number, so the box alone tells which it is.
        pixels: draws it: uint8 (H, W), 1 where it is, else 0; None for an object of which nothing is known.
    """

    place: str
    box: Box | None
    track: int
    row: int | None
    pixels: Callable[[], Plane] | None
    untracked: int | None = None
    label: str = ""
    odd_track: bool = False

    def outline(self) -> Box | None:
        """Its box, or the rectangle around its pixels; None if it has none of both."""
        if self.box is not None or self.pixels is None:
            return self.box
        plane = self.pixels()
        rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
        if not len(rows):
            return None
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


@dataclass(frozen=True)
class Picture:
    """All of a file that is about one frame.

    Attributes:
        place: where it stands in the file, for errors.
        video: name of its video, or of the video's files in an export; empty if the file does not say.
        number: of the frame in the dataset; None if the file does not say.
        name: of the image, without folders and suffix.
        size: height and width of the image.
        shapes: objects.
        unknown: bool (H, W), pixels of which nothing is known, where the file tells of every pixel: then an
            object that is not among the shapes has none. None where it tells of objects alone.
        stray: pixels of which the file says that they are an object's, but not of which.
    """

    place: str
    video: str
    number: int | None
    name: str
    size: tuple[int, int]
    shapes: tuple[Shape, ...]
    unknown: npt.NDArray[np.bool_] | None = None
    stray: int = 0

"""The sizes that one frame has: as stored, as seen, as shown; and which of them a wrong size is."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from spotlabel.pipeline.frames.orientation import TURNS, upright_size


@dataclass(frozen=True)
class Shape:
    """Sizes of a frame; all are height and width in pixels.

    Attributes:
        stored: as stored in the file.
        tag: how the file says it is to be seen, 1 to 8 as EXIF numbers it.
        orientation: ``upright`` if that is followed, else ``stored``.
        pixel: width of a stored pixel divided by its height; None if it is not told.
    """

    stored: tuple[int, int]
    tag: int
    orientation: str
    pixel: Fraction | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Of the frames that are handed out."""
        return upright_size(self.stored, self.tag) if self.orientation == "upright" else self.stored

    @property
    def other(self) -> tuple[int, int]:
        """Of the frames that the other setting of ``frames.orientation`` would hand out."""
        return self.stored if self.orientation == "upright" else upright_size(self.stored, self.tag)

    @property
    def shown(self) -> tuple[int, int]:
        """As a player shows the frames that are handed out, with square pixels: the shorter side grows."""
        if self.pixel is None or self.pixel <= 0:
            return self.size
        height, width = self.stored
        if self.pixel > 1:
            width = round(width * self.pixel)
        else:
            height = round(height / self.pixel)
        return upright_size((height, width), self.tag) if self.orientation == "upright" else (height, width)

    def shows_as(self, size: tuple[int, int]) -> bool:
        """Whether a size is that of the frames stretched to square pixels, in one direction or the other."""
        if self.pixel is None or self.shown == self.size:
            return False
        (height, width), (shown_height, shown_width) = self.size, self.shown
        return size in (
            self.shown, (height, round(width * height / shown_height)),
            (round(height * width / shown_width), width),
        )  # fmt: skip

    def because(self, expected: tuple[int, int]) -> str:
        """Why another size may have been expected: words for the end of a message, or nothing."""
        if expected == self.size:
            return ""
        if expected == self.other:
            setting = "stored" if self.orientation == "upright" else "upright"
            return (
                f"; as stored they are {wide(self.stored)}, and to be seen {TURNS[self.tag]}: "
                f"set frames.orientation={setting}"
            )
        if self.shows_as(expected):
            return (
                f"; their pixels are not square ({self.pixel}): {wide(expected)} is the size they are shown "
                f"in, bring the boxes to {wide(self.size)}"
            )
        if expected == self.size[::-1]:
            return "; width and height are exchanged: were boxes or frames turned by 90 degrees?"
        return ""


def wide(size: tuple[int, int]) -> str:
    """A height and width as people write it: width first."""
    return f"{size[1]} x {size[0]}"

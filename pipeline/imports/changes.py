"""What of a file differs from what an export shows now: that alone becomes a correction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.imports.shapes import Picture, Shape
from spotlabel.pipeline.imports.video import Frame, Video
from spotlabel.pipeline.manual import Correction, Decision, Key, has_twin

Absent = Literal["keep", "background", "unknown"]
_SHOWN = 3


@dataclass
class Changes:
    """Corrections that a file brings for a video, and what else was found.

    Attributes:
        corrections: of boxes that differ, or that were looked at (see :meth:`add`).
        frames: number of frames that the file tells of.
        same: boxes that are as they were.
        absent: boxes that have pixels here and no shape in the file.
        regions: shapes that stand for regions of unknown pixels, and are no objects.
        unpaired: places of shapes whose box cannot be told.
        outside: places of shapes that have no pixel in their box.
        mixed: boxes that a picture makes unknown in part.
        cut: pixels of masks that lay outside their boxes.
        unusable: frames of which nothing is exported, with shapes in the file.
        stray: pixels of pictures with a value that no object of the frame has.
        odd_tracks: places of shapes whose track is no whole number.
        twins: boxes that no correction can tell from another of their frame.
    """

    corrections: list[Correction] = field(default_factory=list)
    frames: int = 0
    same: int = 0
    absent: int = 0
    regions: int = 0
    unpaired: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    mixed: int = 0
    cut: int = 0
    unusable: int = 0
    stray: int = 0
    odd_tracks: list[str] = field(default_factory=list)
    twins: int = 0

    def count(self, decision: Decision) -> int:
        """Number of corrections of a kind."""
        return sum(correction.decision == decision for correction in self.corrections)

    def remarks(self) -> list[str]:
        """What a user should know, a line each."""
        lines = [
            (
                len(self.unpaired),
                f"shapes are of no box of the dataset, or of several: {_named(self.unpaired)}",
            ),
            (
                len(self.odd_tracks),
                "shapes name a track that is no whole number, their boxes tell which they are: "
                f"{_named(self.odd_tracks)}",
            ),
            (self.twins, "boxes have no track and the edges of another one of their frame: left as they are"),
            (len(self.outside), f"shapes have no pixel in their box: {_named(self.outside)}"),
            (self.absent, "boxes have a mask here and no shape in the file: left as they are (see --absent)"),
            (self.mixed, "boxes were made unknown in part, which no correction can say: left as they are"),
            (self.cut, "pixels of masks lay outside their boxes and were cut"),
            (self.stray, "pixels have a value that no object of their frame has: taken as of no object"),
            (self.unusable, "frames with shapes are unreadable, not annotated, or of the warm-up: left out"),
        ]
        return [f"{count} {text}" for count, text in lines if count]


def _named(places: list[str]) -> str:
    return ", ".join(places[:_SHOWN]) + (", ..." if len(places) > _SHOWN else "")


@dataclass(frozen=True)
class Rules:
    """How a file is taken.

    Attributes:
        absent: what becomes of boxes that have pixels here and no shape in the file.
        looked_at: boxes that a person has looked at in the file: the same mask is a correction, too.
    """

    absent: Absent = "keep"
    looked_at: Mapping[Key, object] = field(default_factory=dict)


def compare_picture(video: Video, index: int, picture: Picture, rules: Rules, found: Changes) -> None:
    """Add what a picture changes.

    Args:
        video: of the picture.
        index: position of its frame.
        picture: what the file says.
        rules: how it is taken.
        found: is added to.

    Raises:
        DatasetError: a shape cannot be drawn.
        StoreError: the masks are damaged or hold what was dropped since.
    """
    if not video.known(index):
        found.unusable += bool(picture.shapes)
        return
    found.frames += 1
    _Comparison(video, video.frame(index), picture, rules, found).run()


class _Comparison:
    """One picture beside the frame that it is of."""

    def __init__(self, video: Video, frame: Frame, picture: Picture, rules: Rules, found: Changes) -> None:
        self._video, self._frame, self._picture = video, frame, picture
        self._rules, self._found = rules, found

    def run(self) -> None:
        """Every box of the frame."""
        self._found.stray += self._picture.stray
        paired = self._paired()
        drawn = {row: _union(shapes) for row, shapes in paired.items()}
        for row in range(len(self._frame.rects)):
            if row in paired:
                self._compare(row, drawn[row], paired[row][0].place)
            elif self._picture.unknown is not None:
                self._compare_undrawn(row, drawn)
            else:
                self._compare_absent(row)

    def _paired(self) -> dict[int, list[Shape]]:
        paired: dict[int, list[Shape]] = {}
        for shape in self._picture.shapes:
            if shape.odd_track:
                self._found.odd_tracks.append(shape.place)
            row = self._video.row_of(self._frame.index, shape)
            if row is not None:
                paired.setdefault(row, []).append(shape)
            elif self._video.is_region(shape):
                self._found.regions += 1
            else:
                self._found.unpaired.append(shape.place)
        return paired

    def _compare(self, row: int, plane: Plane | None, place: str) -> None:
        """A box with a shape."""
        if plane is None:
            self._say(row, Decision.UNKNOWN, same=row in self._frame.unsure)
            return
        x0, y0, x1, y1 = self._frame.rects[row].tolist()
        inside = np.zeros_like(plane)
        inside[y0:y1, x0:x1] = plane[y0:y1, x0:x1]
        if not inside.any():
            self._found.outside.append(place)
            return
        known = self._frame.own.get(row)
        # Pixels that a person gave to another box may still be this one's in a file from before.
        theirs = np.zeros(plane.shape, np.bool_)
        for other, mask in self._frame.by_hand.items():
            if other != row:
                theirs |= mask > 0
        same = known is not None and not ((inside != known) & ~theirs).any()
        self._found.cut += 0 if same else int(np.count_nonzero(plane) - np.count_nonzero(inside))
        self._say(row, Decision.MASK, same=same, plane=inside)

    def _compare_undrawn(self, row: int, drawn: Mapping[int, Plane | None]) -> None:
        """A box without a shape in a file that tells of every pixel."""
        unknown = self._picture.unknown
        assert unknown is not None
        alone = self._alone(row, drawn)
        now = unknown[alone]
        if row not in self._frame.own and bool((now == self._frame.unknown[alone]).all()):
            self._say(row, Decision.UNKNOWN if row in self._frame.unsure else Decision.BACKGROUND, same=True)
        elif not now.size or now.all() or not now.any():
            decision = Decision.UNKNOWN if now.size and now.all() else Decision.BACKGROUND
            unsure = row in self._frame.unsure
            same = row not in self._frame.own and (decision == Decision.UNKNOWN) == unsure
            self._say(row, decision, same=same)
        else:
            self._found.mixed += 1

    def _alone(self, row: int, drawn: Mapping[int, Plane | None]) -> npt.NDArray[np.bool_]:
        """Pixels of a box that no other object has, now or in the file; best those of no other box."""
        rects = self._frame.rects
        plane = np.zeros(self._video.masks.size, np.bool_)
        x0, y0, x1, y1 = rects[row].tolist()
        plane[y0:y1, x0:x1] = True
        for masks in (self._frame.own, drawn):
            for other, mask in masks.items():
                if other != row and mask is not None:
                    plane &= mask == 0
        apart = plane.copy()
        for other, (left, top, right, bottom) in enumerate(rects.tolist()):
            if other != row:
                apart[top:bottom, left:right] = False
        return apart if apart.any() else plane

    def _compare_absent(self, row: int) -> None:
        """A box without a shape in a file that tells of objects alone."""
        if row not in self._frame.own and row not in self._frame.unsure:
            self._confirm_nothing(row)
            return
        if self._rules.absent == "keep":
            self._found.absent += 1
            return
        decision = Decision.UNKNOWN if self._rules.absent == "unknown" else Decision.BACKGROUND
        self._say(row, decision, same=decision == Decision.UNKNOWN and row in self._frame.unsure)

    def _confirm_nothing(self, row: int) -> None:
        """A box without a pixel, of which such a file cannot tell: it stands as it is if it was looked at."""
        number, track, box = self._video.key_box(self._frame.index, row)
        if Correction(number, track, box, Decision.BACKGROUND).key in self._rules.looked_at:
            self._say(row, Decision.BACKGROUND, same=True)

    def _say(self, row: int, decision: Decision, *, same: bool, plane: Plane | None = None) -> None:
        number, track, box = self._video.key_box(self._frame.index, row)
        correction = (
            Correction(number, track, box, decision)
            if plane is None
            else Correction.of(number, track, box, plane)
        )
        self._found.same += same
        if same and correction.key not in self._rules.looked_at:
            return
        if has_twin(self._video.masks.boxes, self._frame.index, row):
            self._found.twins += 1
        else:
            self._found.corrections.append(correction)


def _union(shapes: list[Shape]) -> Plane | None:
    """Pixels of the shapes of one box; None if nothing is known of it."""
    planes = [shape.pixels() for shape in shapes if shape.pixels is not None]
    return np.bitwise_or.reduce(planes) if planes else None

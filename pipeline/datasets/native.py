"""Annotated rectangles as a file has them: native coordinates, file order, and where each one stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.datasets.text import Table

Int64 = npt.NDArray[np.int64]

LTWH = ("left", "top", "width", "height")
NO_BOX = (0.0, 0.0, 0.0, 0.0)
"""Stands for a box that has no numbers: it has no area, which is refused or left out with the others."""
CORNERS = ("x0", "y0", "x1 - x0", "y1 - y0")


@dataclass(frozen=True)
class NativeRects:
    """Rectangles of one file, unchecked.

    Attributes:
        path: the file.
        frame: int64 (N,), frame numbers; without meaning for static regions.
        xyxy: float64 (N, 4), corners in the file's own coordinates.
        place: int64 (N,), line or element each rectangle stands on.
        place_format: turns a place into words; ``{frame}`` in it is the frame number.
        fields: what the file calls the left and top edge, the width and the height.
    """

    path: Path
    frame: Int64
    xyxy: npt.NDArray[np.float64]
    place: Int64
    place_format: str = "line {}"
    fields: tuple[str, str, str, str] = LTWH

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, row: int) -> str:
        """Line or element of a row, in words."""
        return self.place_format.format(int(self.place[row]), frame=int(self.frame[row]))

    def ltwh(self) -> npt.NDArray[np.float64]:
        """Left, top, width and height: float64 (N, 4)."""
        with np.errstate(invalid="ignore"):
            return np.concatenate([self.xyxy[:, :2], self.xyxy[:, 2:] - self.xyxy[:, :2]], axis=1)

    def select(self, rows: npt.NDArray[np.bool_]) -> NativeRects:
        """The rows where ``rows``, bool (N,), is true."""
        return NativeRects(
            self.path, self.frame[rows], self.xyxy[rows], self.place[rows], self.place_format, self.fields
        )

    @classmethod
    def of_table(cls, table: Table, frame: Int64 | None = None) -> NativeRects:
        """The columns ``left, top, width, height`` of a table; frame numbers 0 unless given."""
        zero = np.zeros(len(table.lines), np.int64)
        return cls(table.path, zero if frame is None else frame, table.corners(), table.lines)

    @classmethod
    def none(cls, path: Path) -> NativeRects:
        """No rectangles."""
        empty = np.zeros(0, np.int64)
        return cls(path, empty, np.zeros((0, 4)), empty)

    @classmethod
    def of_option(cls, ignore: Iterable[tuple[float, float, float, float]], origin: float) -> NativeRects:
        """Static regions of the option ``ignore``, 0-based pixel edges, moved to a file's own origin."""
        xyxy = np.array(list(ignore), np.float64).reshape(-1, 4) + origin
        place = np.arange(len(xyxy), dtype=np.int64)
        frame = np.zeros(len(xyxy), np.int64)
        return cls(Path("recipe"), frame, xyxy, place, "dataset.ignore[{}]", CORNERS)


@dataclass(frozen=True)
class NativeBoxes:
    """Annotated boxes of one file, unchecked.

    Attributes:
        rects: where they are.
        class_id: int16 (N,), index into ``class_names``.
        track_id: int64 (N,), -1 where there is none.
        flags: uint8 (N,), bits of :class:`spotlabel.pipeline.boxes.BoxFlag`.
        class_names: names of the classes.
        area: float64 (N,), px, what the file says the objects' areas are, NaN where it does not; None if it
            never does.
    """

    rects: NativeRects
    class_id: npt.NDArray[np.int16]
    track_id: Int64
    flags: npt.NDArray[np.uint8]
    class_names: tuple[str, ...]
    area: npt.NDArray[np.float64] | None = None

    def select(self, rows: npt.NDArray[np.bool_]) -> NativeBoxes:
        """The boxes where ``rows``, bool (N,), is true."""
        columns = (self.class_id[rows], self.track_id[rows], self.flags[rows])
        area = None if self.area is None else self.area[rows]
        return NativeBoxes(self.rects.select(rows), *columns, self.class_names, area)


@dataclass
class Collector:
    """Grows boxes row by row, for parsers that meet them one at a time."""

    path: Path
    place_format: str = "line {}"
    fields: tuple[str, str, str, str] = LTWH
    frame: list[int] = field(default_factory=list)
    xyxy: list[tuple[float, float, float, float]] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    class_id: list[int] = field(default_factory=list)
    track_id: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    area: list[float] = field(default_factory=list)

    def add(
        self,
        frame: int,
        xyxy: tuple[float, float, float, float],
        place: int,
        *,
        class_id: int = 0,
        track_id: int = -1,
        flags: int = 0,
        area: float = float("nan"),
    ) -> None:
        """Append one box."""
        self.frame.append(frame)
        self.xyxy.append(xyxy)
        self.place.append(place)
        self.class_id.append(class_id)
        self.track_id.append(track_id)
        self.flags.append(flags)
        self.area.append(area)

    def rects(self) -> NativeRects:
        """What was collected, without classes and tracks."""
        return NativeRects(
            self.path,
            np.array(self.frame, np.int64),
            np.array(self.xyxy, np.float64).reshape(-1, 4),
            np.array(self.place, np.int64),
            self.place_format,
            self.fields,
        )

    def boxes(self, class_names: tuple[str, ...]) -> NativeBoxes:
        """All that was collected; class ids are positions in ``class_names``."""
        return NativeBoxes(
            self.rects(),
            np.array(self.class_id, np.int16),
            np.array(self.track_id, np.int64),
            np.array(self.flags, np.uint8),
            class_names,
            np.array(self.area, np.float64),
        )


def corners(left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    """Corners ``x0, y0, x1, y1`` of a rectangle given by its size."""
    return left, top, left + width, top + height

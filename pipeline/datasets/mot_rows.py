"""Box rows of the MOT benchmarks: text to native boxes, without a word on where files and images lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.datasets.text import Table, read_table
from spotlabel.pipeline.errors import DatasetError

ORIGIN = 1.0
"""Left and top image edge in MOT coordinates."""

COLUMNS = ("frame", "id", "left", "top", "width", "height", "consider", "class", "visibility", "z")
REQUIRED = 6
WORLD_COLUMNS = 10
"""Files with this many columns hold world coordinates in the last three (MOT15)."""

MOT17_CLASSES: Mapping[int, str] = {
    1: "pedestrian",
    2: "person on vehicle",
    3: "car",
    4: "bicycle",
    5: "motorbike",
    6: "non motorized vehicle",
    7: "static person",
    8: "distractor",
    9: "occluder",
    10: "occluder on the ground",
    11: "occluder full",
    12: "reflection",
    13: "crowd",
}
NO_CLASS = "object"


@dataclass(frozen=True)
class MotFile:
    """Rows of one file, in native coordinates.

    Attributes:
        boxes: the objects to detect.
        inactive: rows whose flag "consider" is 0: annotated, but not to be detected.
    """

    boxes: NativeBoxes
    inactive: NativeRects


def read_mot(path: Path, classes: Mapping[int, str] | None = None) -> MotFile:
    """Parse rows ``frame, id, left, top, width, height[, consider[, class[, visibility]]]``.

    Missing columns mean: considered, of class "object", fully visible. A visibility below 1 sets the flag
    occluded. With 10 columns the last three are world coordinates, unless ``classes`` is given: then they
    are class and two more that are not read.

    Args:
        path: the file.
        classes: class names by class id; those of MOT17 if None. Equal names are one class.

    Raises:
        DatasetError: names line and column; also for a considered row of an unknown class.
    """
    table = read_table(path, COLUMNS, REQUIRED, may_be_empty=False)
    frame = table.whole("frame")
    track = table.whole("id")
    active = np.ones(len(frame), np.bool_)
    if "consider" in table.names:
        active = table.number("consider") != 0
    class_id, names = _classes(table, active, classes)
    flags = np.zeros(len(frame), np.uint8)
    if "visibility" in table.names and len(table.names) < WORLD_COLUMNS:
        visibility = table.number("visibility")
        flags[(visibility >= 0) & (visibility < 1)] = BoxFlag.OCCLUDED
    rects = NativeRects.of_table(table, frame)
    boxes = NativeBoxes(rects.select(active), class_id[active], track[active], flags[active], names)
    return MotFile(boxes, rects.select(~active))


def _classes(
    table: Table, active: npt.NDArray[np.bool_], classes: Mapping[int, str] | None
) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
    """Index of every row's class, int16 (N,), and the class names."""
    nothing = np.zeros(len(active), np.int16)
    world = len(table.names) == WORLD_COLUMNS and classes is None
    if "class" not in table.names or world:
        return nothing, (NO_CLASS,)
    given = table.whole("class")
    if len(given) and (given == -1).all():
        return nothing, (NO_CLASS,)
    known = MOT17_CLASSES if classes is None else classes
    wrong = active & ~np.isin(given, list(known))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        listed = ", ".join(f"{key} {known[key]}" for key in sorted(known))
        problem = f"class is {given[row]}, known are {listed}"
        raise DatasetError.at(table.path, f"line {table.lines[row]}", problem, "set dataset.classes")
    names = tuple(dict.fromkeys(known[key] for key in sorted(known)))
    index = nothing.copy()
    for key, name in known.items():
        index[given == key] = names.index(name)
    return index, names

"""Box rows of the MOT benchmarks: text to native boxes, without a word on where files and images lie."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.datasets.text import Table, read_table, read_text
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
LABELS = "labels.txt"
_BENCHMARK = re.compile(r"MOT(?:16|17|20)\b", re.IGNORECASE)

logger = logging.getLogger("spotlabel")


@dataclass(frozen=True)
class MotFile:
    """Rows of one file, in native coordinates.

    Attributes:
        boxes: the objects to detect.
        inactive: rows whose flag "consider" is 0: annotated, but not to be detected.
    """

    boxes: NativeBoxes
    inactive: NativeRects


def labels_of(path: Path) -> Path:
    """Where CVAT and Datumaro write the class names of a MOT file: ``labels.txt`` beside it."""
    return path.with_name(LABELS)


def named_classes(path: Path, given: Mapping[int, str] | None) -> Mapping[int, str] | None:
    """Class names of a file of MOT rows: those given, or those of the ``labels.txt`` beside it.

    Args:
        path: the file of rows.
        given: names by class id that come first; None if there are none.

    Returns:
        Names by class id, the first line being class 1; None if there is no such file.

    Raises:
        DatasetError: the file of names cannot be read.
    """
    labels = labels_of(path)
    if given is not None or not labels.is_file():
        return given
    lines = [line.strip() for line in read_text(labels).split("\n")]
    return {number: name for number, name in enumerate(lines, start=1) if name}


def read_mot(path: Path, classes: Mapping[int, str] | None = None) -> MotFile:
    """Parse rows ``frame, id, left, top, width, height[, consider[, class[, visibility]]]``.

    Missing columns mean: considered, of class "object", fully visible. A visibility below 1 sets the flag
    occluded. With 10 columns the last three are world coordinates, unless ``classes`` is given: then they
    are class and two more that are not read.

    Args:
        path: the file.
        classes: class names by class id; if None those of the ``labels.txt`` beside the file, else those of
            MOT17, which is told for a file that is not of that benchmark. Equal names are one class.

    Raises:
        DatasetError: names line and column; also for a considered row of an unknown class.
    """
    table = read_table(path, COLUMNS, REQUIRED, may_be_empty=False)
    frame = table.whole("frame")
    track = table.whole("id")
    active = np.ones(len(frame), np.bool_)
    if "consider" in table.names:
        active = table.number("consider") != 0
    class_id, names = _classes(table, active, named_classes(path, classes))
    flags = np.zeros(len(frame), np.uint8)
    world = len(table.names) == WORLD_COLUMNS and classes is None and not labels_of(path).is_file()
    if world:
        _tell_unread(table)
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
    if classes is None and not _BENCHMARK.search(str(table.path)):
        _tell_assumed(table, given[active])
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


def _tell_assumed(table: Table, given: npt.NDArray[np.int64]) -> None:
    """Warn that class numbers are taken for those of MOT17."""
    known = [int(key) for key in np.unique(given) if int(key) in MOT17_CLASSES]
    if known:
        meant = ", ".join(f"{key} is {MOT17_CLASSES[key]}" for key in known[:5])
        advice = f"name yours with dataset.classes or {LABELS} beside the file"
        logger.warning("%s: class names of MOT17 are assumed: %s (%s)", table.path, meant, advice)


def _tell_unread(table: Table) -> None:
    """Warn if columns that are taken for world coordinates look like a class: whole numbers from 1 on."""
    column = table.values[:, COLUMNS.index("class")]
    if len(column) and (column >= 1).all() and (column == np.floor(column)).all():
        problem = (
            "columns 8 to 10 are taken for world coordinates and not read, but column 8 looks like a class"
        )
        logger.warning("%s: %s (set dataset.classes to read it)", table.path, problem)

"""YOLO label files: a line per object, in shares of the image's size; and the names of the classes.

``class x_center y_center width height``, maybe with a track id behind; or ``class x1 y1 x2 y2 x3 y3 ...``,
the outline of an object, of which the surrounding box is taken. With key points (``kpt_shape`` in
``data.yaml``) the first five columns are the box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spotlabel.pipeline.datasets.native import Collector, NativeBoxes
from spotlabel.pipeline.datasets.text import decimal, read_text, whole_number
from spotlabel.pipeline.errors import DatasetError

ORIGIN = 0.0
FIELDS = ("x_center - width / 2", "y_center - height / 2", "width", "height")
NAMES_FILES = ("classes.txt", "obj.names", "labels.txt", "classes.names")
YAML_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
COLUMNS = "class x_center y_center width height"
_FAR_OUT = 0.5
"""Shares below minus this or above one plus this are no shares."""


@dataclass(frozen=True)
class Names:
    """Names of the classes.

    Attributes:
        by_id: name of every class number.
        path: the file they come from, None if there is none.
        key_points: rows hold key points behind the box.
    """

    by_id: Mapping[int, str]
    path: Path | None = None
    key_points: bool = False


def find_names(root: Path) -> Names | None:
    """Names of ``data.yaml``, or else of ``classes.txt`` and the like; None if a folder has neither.

    Raises:
        DatasetError: the file cannot be used; names the key.
    """
    for name in YAML_FILES:
        if (root / name).is_file():
            return read_data_yaml(root / name)
    for name in NAMES_FILES:
        if (root / name).is_file():
            lines = [line.strip() for line in read_text(root / name).rstrip().split("\n")]
            return Names(dict(enumerate(lines)), root / name)
    return None


def read_data_yaml(path: Path) -> Names:
    """``names`` of a ``data.yaml``, a list or a mapping from number to name; its paths are not followed.

    Raises:
        DatasetError: no YAML, or no usable ``names``.
    """
    try:
        data: Any = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
        raise DatasetError.at(path, "", f"no valid YAML: {' '.join(str(error).split())[:200]}") from error
    names = data.get("names") if isinstance(data, dict) else None
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not all(map(_fits, listed)) or any(map(_nested, listed.values())):
        problem = f"is {str(names)[:40]!r}, expected a list of names, or numbers with a name each"
        raise DatasetError.at(path, "names", problem)
    assert isinstance(data, dict)  # it has names
    by_id = {int(number): str(name) for number, name in listed.items()}
    return Names(by_id, path, data.get("kpt_shape") is not None)


def _nested(name: object) -> bool:
    return isinstance(name, (dict, list))


def _fits(number: object) -> bool:
    return isinstance(number, int) or (isinstance(number, str) and number.strip().isdigit())


@dataclass
class YoloRows:
    """Grows boxes file by file.

    Attributes:
        folder: of the files, for messages.
        size: height and width of the images.
        names: of the classes.
        outlines: number of outlines whose surrounding box was taken.
        unnamed: class numbers that have no name.
    """

    folder: Path
    size: tuple[int, int]
    names: Names
    outlines: int = 0
    unnamed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rows = Collector(self.folder, "frame {frame}: line {}", FIELDS)

    def read(self, path: Path, frame: int) -> None:
        """Append the objects of one file; an empty one has none.

        Raises:
            DatasetError: names line and column.
        """
        for line, text in enumerate(read_text(path).split("\n"), start=1):
            if cells := text.replace(",", " ").split():
                self._row(path, frame, line, cells)

    def boxes(self) -> NativeBoxes:
        """All boxes, in pixels; a class without a name is called by its number."""
        known = {**{number: str(number) for number in self.unnamed}, **self.names.by_id}
        numbers = sorted(known)
        names = tuple(dict.fromkeys(known[number] for number in numbers))
        self._rows.class_id = [names.index(known[number]) for number in self._rows.class_id]
        return self._rows.boxes(names)

    def _row(self, path: Path, frame: int, line: int, cells: list[str]) -> None:
        where = f"line {line}"
        values = [_number(path, where, cell) for cell in cells]
        class_id = _whole(path, where, "class", cells[0])
        count = 5 if self.names.key_points and len(cells) > 5 else len(cells)
        if count not in (5, 6) and (count < 7 or count % 2 == 0):
            problem = f"{count} columns, expected {COLUMNS} [track]"
            raise DatasetError.at(path, where, problem, "or the points of an outline behind the class")
        outline = count > 6
        shares = values[1:] if outline else values[1:5]
        for column, share in enumerate(shares):
            if not -_FAR_OUT <= share <= 1 + _FAR_OUT:
                name = f"column {column + 2}" if outline else COLUMNS.split()[column + 1]
                problem = f"{name} is {share:g}, expected a share of the image's size, from 0 to 1"
                raise DatasetError.at(path, where, problem)
        track = _whole(path, where, "track", cells[5], "is it a score of detections?") if count == 6 else -1
        height, width = self.size
        if outline:
            self.outlines += 1
            xs, ys = shares[0::2], shares[1::2]
            x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
        else:
            x, y, w, h = shares
            x0, y0, x1, y1 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
        if class_id not in self.names.by_id:
            self.unnamed.add(class_id)
        box = (x0 * width, y0 * height, x1 * width, y1 * height)
        self._rows.add(frame, box, line, class_id=class_id, track_id=track)


def _number(path: Path, where: str, cell: str) -> float:
    try:
        value = decimal(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError.at(path, where, f"{cell[:40]!r} is no number, expected {COLUMNS}")
    return value


def _whole(path: Path, where: str, name: str, cell: str, advice: str = "") -> int:
    try:
        value = whole_number(cell)
    except ValueError:
        value = -1
    if value < 0:
        raise DatasetError.at(path, where, f"{name} is {cell[:40]!r}, expected a whole number", advice)
    return value

"""Boxes as a CSV file with a header: text to native boxes.

The header names the columns, in any order: ``frame,x0,y0,x1,y1`` and, if wanted, ``class`` and ``track``, or
the other names of :mod:`spotlabel.pipeline.datasets.csv_header`. Columns are apart by commas, semicolons or
tabs; a decimal comma is read where no comma separates. Boxes are 0-based pixel edges: a box that covers the
whole image is ``0,0,width,height`` (no standard says so; COCO has the same origin).
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from spotlabel.pipeline.datasets.csv_header import (
    Header,
    Shape,
    first_line,
    read_header,
    separator,
    tell_unread,
)
from spotlabel.pipeline.datasets.frame_names import counted, last_number, scattered
from spotlabel.pipeline.datasets.image_names import with_slashes
from spotlabel.pipeline.datasets.native import NO_BOX, Collector, NativeBoxes, corners
from spotlabel.pipeline.datasets.text import decimal, read_text, whole_number
from spotlabel.pipeline.datasets.tracks import NO_TRACK, track_numbers
from spotlabel.pipeline.errors import DatasetError

logger = logging.getLogger("spotlabel")

NO_CLASS = "object"
MAX_CLASSES = 10_000
NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
"""Cells that hold no value, in small letters: what table programs write for one."""
_NOTHING_WORD = re.compile(r"\b(?:nan|none|null|na|n/a)\b", re.IGNORECASE)


def rules_of(path: Path, version: int) -> str:
    """Version of the rules that a file is read by.

    ``NaN`` and the like were once names of classes: what was made from files that have them is out of date.
    """
    text = read_text(path)
    if not _NOTHING_WORD.search(text):
        return f"{version}"
    try:
        header, rows = _parsed(path, text)
        label = header.class_ if header else None
        once = label is not None and any(row.cells[label] and not row.cell(label) for row in rows)
    except DatasetError:
        once = False
    return f"{version}.1" if once else f"{version}"


def read_csv(path: Path) -> NativeBoxes:
    """Parse a file; classes are numbered in the order of their names.

    No class means "object"; no track means none, and so does -1; tracks that are text are numbered. A row
    without any number of a box is a box without area. Columns that are not known are told in the log if any
    row has a value there; a column without a name (the row numbers of pandas) is passed over.

    Raises:
        DatasetError: names line and column.
    """
    header, parsed = _parsed(path, read_text(path))
    if header is None:
        return _classes(path, Collector(path), [])
    rows = list(parsed)
    collector = Collector(path, fields=header.fields())
    for row, frame, track in zip(rows, _frames(header, rows), _tracks(header, rows), strict=True):
        collector.add(frame, row.box(), row.line, track_id=track)
    tell_unread(path, header, {i for row in rows for i in header.unread if row.cell(i)})
    return _classes(path, collector, [row.cell(header.class_) or NO_CLASS for row in rows])


def _parsed(path: Path, text: str) -> tuple[Header | None, Iterator[_Row]]:
    """The header, None in a file without any text, and the rows under it."""
    start, line = first_line(text)
    sign = separator(line)
    rows = _rows(path, text, start, sign)
    number, cells = next(rows, (1, []))
    if not cells:
        return None, iter(())
    header = read_header(path, number, cells)
    return header, (_Row(path, n, header, cells, decimal_comma=sign != ",") for n, cells in rows)


def _frames(header: Header, rows: list[_Row]) -> list[int]:
    """Frame number of every row."""
    if not header.images:
        return [row.whole(header.frame) for row in rows]
    first: dict[str, _Row] = {}
    for row in rows:
        first.setdefault(row.cells[header.frame], row)
    numbers = {name: row.image_number() for name, row in first.items()}
    twice = len({*numbers.values()}) < len(numbers)
    if twice or scattered(numbers.values()):
        pairs = counted([_stem(name) for name in numbers]) or []
        if len({before for before, _ in pairs}) == 1:
            numbers = {name: number for name, (_, number) in zip(numbers, pairs, strict=True)}
        elif twice:
            raise _second(header, first, numbers)
    return [numbers[row.cells[header.frame]] for row in rows]


def _second(header: Header, first: dict[str, _Row], numbers: dict[str, int]) -> DatasetError:
    """The first image whose number another one has already."""
    seen: dict[int, str] = {}
    for name, row in first.items():
        other = seen.setdefault(numbers[name], name)
        if other != name:
            problem = (
                f"{header.names[header.frame]} {name[:80]!r} is frame {numbers[name]}, like {other[:80]!r}"
            )
            advice = "one file of boxes per video; a column frame says the numbers"
            return DatasetError.at(row.path, f"line {row.line}", problem, advice)
    raise AssertionError("no two images of one number")


def _stem(name: str) -> str:
    return PurePosixPath(with_slashes(name)).stem


def _tracks(header: Header, rows: list[_Row]) -> list[int]:
    """Track of every row, -1 for none."""
    if header.track is None:
        return [NO_TRACK] * len(rows)
    given: list[object] = [row.track() for row in rows]
    each = len({*given}) == len(given) > 1 and None not in given and NO_TRACK not in given
    if each and header.row_ids():
        name = header.names[header.track]
        logger.warning(
            "%s: %s differs in every row and is no track (call it track if it is)", rows[0].path, name
        )
        return [NO_TRACK] * len(rows)
    found = []
    for row, number in zip(rows, track_numbers(given), strict=True):
        if number is None:
            raise row.wrong(header.track, "a whole number or text")
        found.append(number)
    return found


def _classes(path: Path, collector: Collector, names: list[str]) -> NativeBoxes:
    class_names = tuple(sorted(set(names))) or (NO_CLASS,)
    if len(class_names) > MAX_CLASSES:
        problem = f"{len(class_names)} different classes, expected at most {MAX_CLASSES}"
        raise DatasetError.at(path, "column class", problem, "names of single objects belong into track")
    index = {name: i for i, name in enumerate(class_names)}
    boxes = collector.boxes(class_names)
    class_id = np.array([index[name] for name in names], np.int16)
    return NativeBoxes(boxes.rects, class_id, boxes.track_id, boxes.flags, class_names)


def _rows(path: Path, text: str, start: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not blank, from line ``start`` on."""
    lines = text.split("\n")[start - 1 :]
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t")
    header: list[str] | None = None
    try:
        for cells in reader:
            number = reader.line_num + start - 1
            while cells and not cells[-1].strip():
                cells.pop()
            if not cells:
                continue
            header = header or cells
            if len(cells) > len(header):
                problem = f"{len(cells)} columns, but the header has {len(header)}: {','.join(header)[:200]}"
                raise DatasetError.at(path, f"line {number}", problem)
            yield number, [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
    except csv.Error as error:
        where = f"line {reader.line_num + start - 1}"
        raise DatasetError.at(path, where, str(error)) from error


@dataclass(frozen=True)
class _Row:
    """One row, read with checks."""

    path: Path
    line: int
    header: Header
    cells: list[str]
    decimal_comma: bool

    def cell(self, column: int | None) -> str:
        """Text of a column, empty where it holds no value or there is no such column."""
        text = "" if column is None else self.cells[column]
        return "" if text.lower() in NOTHING else text

    def box(self) -> tuple[float, float, float, float]:
        """Corners; those of a box without area where no number is given."""
        if not any(map(self.cell, self.header.box)):
            return NO_BOX
        a, b, c, d = (self.number(column) for column in self.header.box)
        if self.header.shape is Shape.CORNERS:
            return a, b, c, d
        if self.header.shape is Shape.CENTRE:
            a, b = a - c / 2, b - d / 2
        return corners(a, b, c, d)

    def number(self, column: int) -> float:
        try:
            return decimal(self._numeral(column))
        except ValueError:
            raise self.wrong(column, "a number") from None

    def whole(self, column: int | None) -> int:
        assert column is not None
        try:
            return whole_number(self._numeral(column))
        except ValueError:
            raise self.wrong(column, "a whole number") from None

    def image_number(self) -> int:
        """Frame number in the name of an image."""
        name = self.cells[self.header.frame]
        try:
            return whole_number(name)
        except ValueError:
            digits = last_number(_stem(name))
        if digits is None:
            raise self.wrong(self.header.frame, "a name with the frame number in it")
        return int(digits)

    def track(self) -> float | str | None:
        """The track: a number, text, or None for none."""
        assert self.header.track is not None
        if not (text := self.cell(self.header.track)):
            return None
        try:
            return decimal(self._numeral(self.header.track))
        except ValueError:
            return text

    def _numeral(self, column: int) -> str:
        text = self.cells[column]
        return text.replace(",", ".") if self.decimal_comma else text

    def wrong(self, column: int, expected: str) -> DatasetError:
        name, text = self.header.names[column], self.cells[column]
        found = f"{name} is {text[:40]!r}" if text else f"{name} is missing"
        return DatasetError.at(self.path, f"line {self.line}", f"{found}, expected {expected}")

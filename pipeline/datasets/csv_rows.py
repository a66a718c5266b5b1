"""Boxes as a CSV file with a header: text to native boxes.

The header names the columns, in any order: ``frame,x0,y0,x1,y1`` and, if wanted, ``class`` and ``track``, or
the other names of :mod:`spotlabel.pipeline.datasets.csv_header`. Columns are apart by commas, semicolons or
tabs; a decimal comma is read where no comma separates. Boxes are 0-based pixel edges: a box that covers the
whole image is ``0,0,width,height`` (no standard says so; COCO has the same origin).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotlabel.pipeline.datasets.csv_header import (
    Header,
    Shape,
    first_line,
    read_header,
    separator,
    tell_unread,
)
from spotlabel.pipeline.datasets.native import Collector, NativeBoxes, corners
from spotlabel.pipeline.datasets.text import decimal, read_text, whole_number
from spotlabel.pipeline.errors import DatasetError

NO_CLASS = "object"
MAX_CLASSES = 10_000
NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
"""Cells that hold no value, in small letters: what table programs write for one."""


def read_csv(path: Path) -> NativeBoxes:
    """Parse a file; classes are numbered in the order of their names.

    No class means "object"; no track means none, and so does -1. Columns that are not known are told in the
    log if any row has a value there; a column without a name (the row numbers of pandas) is passed over.

    Raises:
        DatasetError: names line and column.
    """
    text = read_text(path)
    start, line = first_line(text)
    rows = _rows(path, text, start, separator(line))
    number, cells = next(rows, (1, []))
    header = read_header(path, number, cells) if cells else None
    collector = Collector(path, fields=header.fields()) if header else Collector(path)
    names: list[str] = []
    filled: set[int] = set()
    for number, cells in rows if header else ():
        assert header is not None
        row = _Row(path, number, header, cells, decimal_comma=separator(line) != ",")
        track = row.cell(header.track)
        collector.add(
            row.whole(header.frame), row.box(), number, track_id=row.whole(header.track) if track else -1
        )
        names.append(row.cell(header.class_) or NO_CLASS)
        filled.update(i for i in header.unread if row.cell(i))
    if header:
        tell_unread(path, header, filled)
    return _classes(path, collector, names)


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
            raise self._wrong(column, "a number") from None

    def whole(self, column: int | None) -> int:
        assert column is not None
        try:
            return whole_number(self._numeral(column))
        except ValueError:
            raise self._wrong(column, "a whole number") from None

    def _numeral(self, column: int) -> str:
        text = self.cells[column]
        return text.replace(",", ".") if self.decimal_comma else text

    def _wrong(self, column: int, expected: str) -> DatasetError:
        name, text = self.header.names[column], self.cells[column]
        found = f"{name} is {text[:40]!r}" if text else f"{name} is missing"
        return DatasetError.at(self.path, f"line {self.line}", f"{found}, expected {expected}")

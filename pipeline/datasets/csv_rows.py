"""Boxes as a CSV file with a header: text to native boxes.

The header names the columns, in any order: ``frame,x0,y0,x1,y1`` and, if wanted, ``class`` and ``track``.
Boxes are 0-based pixel edges: a box that covers the whole image is ``0,0,width,height``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from spotlabel.pipeline.datasets.native import CORNERS, Collector, NativeBoxes
from spotlabel.pipeline.datasets.text import decimal, read_text, whole_number
from spotlabel.pipeline.errors import DatasetError

REQUIRED = ("frame", "x0", "y0", "x1", "y1")
OPTIONAL = ("class", "track")
NO_CLASS = "object"
MAX_CLASSES = 10_000
HEADER_BYTES = 1 << 16


def has_header(path: Path) -> bool:
    """Whether the first line that is not blank has a letter where rows of numbers have none.

    Raises:
        DatasetError: the file cannot be read.
    """
    first = next((line for line in read_text(path, HEADER_BYTES).split("\n") if line.strip()), "")
    return first.split(",")[0].strip().strip('"').isidentifier()


def read_csv(path: Path) -> NativeBoxes:
    """Parse a file; classes are numbered in the order of their names.

    Raises:
        DatasetError: names line and column.
    """
    collector = Collector(path, fields=CORNERS)
    names: list[str] = []
    for line, row in _rows(path):
        xyxy = tuple(_decimal(path, line, row, key) for key in REQUIRED[1:])
        frame = _whole(path, line, row, "frame")
        track = _whole(path, line, row, "track") if row.get("track") else -1
        collector.add(frame, (xyxy[0], xyxy[1], xyxy[2], xyxy[3]), line, track_id=track)
        names.append(row.get("class") or NO_CLASS)
    class_names = tuple(sorted(set(names))) or (NO_CLASS,)
    if len(class_names) > MAX_CLASSES:
        problem = f"{len(class_names)} different classes, expected at most {MAX_CLASSES}"
        raise DatasetError.at(path, "column class", problem, "names of single objects belong into track")
    index = {name: i for i, name in enumerate(class_names)}
    boxes = collector.boxes(class_names)
    class_id = np.array([index[name] for name in names], np.int16)
    return NativeBoxes(boxes.rects, class_id, boxes.track_id, boxes.flags, class_names)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column name of every row that is not blank."""
    reader = csv.reader(read_text(path).split("\n"), skipinitialspace=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            while cells and not cells[-1].strip():
                cells.pop()
            if not cells:
                continue
            if header is None:
                header = _header(path, reader.line_num, cells)
                continue
            if len(cells) > len(header):
                problem = f"{len(cells)} columns, but the header has {len(header)}: {','.join(header)}"
                raise DatasetError.at(path, f"line {reader.line_num}", problem)
            filled = [*cells, *[""] * (len(header) - len(cells))]
            yield reader.line_num, {key: cell.strip() for key, cell in zip(header, filled, strict=True)}
    except csv.Error as error:
        raise DatasetError.at(path, f"line {reader.line_num}", str(error)) from error


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in REQUIRED + OPTIONAL]
    if missing or unknown or len(set(header)) < len(header):
        problem = f"the header is {','.join(header)[:80]!r}, expected {','.join(REQUIRED)}[,class][,track]"
        raise DatasetError.at(path, f"line {line}", problem)
    return header


def _whole(path: Path, line: int, row: Mapping[str, str], key: str) -> int:
    try:
        return whole_number(row[key])
    except ValueError:
        raise _wrong(path, line, row, key, "a whole number") from None


def _decimal(path: Path, line: int, row: Mapping[str, str], key: str) -> float:
    try:
        return decimal(row[key])
    except ValueError:
        raise _wrong(path, line, row, key, "a number") from None


def _wrong(path: Path, line: int, row: Mapping[str, str], key: str, expected: str) -> DatasetError:
    found = f"{key} is {row[key][:40]!r}" if row[key] else f"{key} is missing"
    return DatasetError.at(path, f"line {line}", f"{found}, expected {expected}")

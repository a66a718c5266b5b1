"""Reading annotation text: encodings, and tables of numbers with the line every row stands on."""

from __future__ import annotations

import codecs
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.inputs import open_input

MAX_WHOLE = 2**53
"""Whole numbers of annotation files stay below this, so that float64 holds them exactly."""


def read_text(path: Path, limit: int = -1) -> str:
    """Text of a file, or of its first ``limit`` bytes, with line ends as ``\\n``.

    UTF-8 with or without a byte order mark, UTF-16 with one, and Latin-1 for whatever is not UTF-8.

    Raises:
        DatasetError: the file cannot be opened, or is no text.
    """
    try:
        with open_input(path) as file:
            raw = file.read(limit)
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror or error}") from error
    try:
        text = raw.decode("utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if "\0" in text:
        raise DatasetError.at(path, "", "binary data where text was expected")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def whole_number(text: str) -> int:
    """Parse a whole number below :data:`MAX_WHOLE`; ``"7"`` and ``"7.0"`` alike.

    Raises:
        ValueError: the text is something else.
    """
    value = decimal(text)
    if not (abs(value) < MAX_WHOLE and value.is_integer()):
        raise ValueError(f"not a whole number: {text!r}")
    return int(value)


def decimal(text: str) -> float:
    """Parse a number; unlike ``float`` refuses digit groups (``"1_000"``).

    Raises:
        ValueError: the text is no number.
    """
    if "_" in text:
        raise ValueError(f"not a number: {text!r}")
    return float(text)


@dataclass(frozen=True)
class Table:
    """Rows of numbers.

    Attributes:
        path: the file.
        names: names of the columns in use, C long.
        values: float64 (N, C).
        lines: int64 (N,), 1-based line numbers.
    """

    path: Path
    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    lines: npt.NDArray[np.int64]

    def number(self, name: str) -> npt.NDArray[np.float64]:
        """One column, float64 (N,).

        Raises:
            DatasetError: a value is NaN or infinite.
        """
        column = self.values[:, self.names.index(name)]
        self._refuse(~np.isfinite(column), name, "a finite number")
        return column

    def whole(self, name: str) -> npt.NDArray[np.int64]:
        """One column of whole numbers, int64 (N,).

        Raises:
            DatasetError: a value is not whole.
        """
        column = self.values[:, self.names.index(name)]
        with np.errstate(invalid="ignore"):
            wrong = ~((np.abs(column) < MAX_WHOLE) & (column == np.floor(column)))
        self._refuse(wrong, name, "a whole number")
        return column.astype(np.int64)

    def corners(self) -> npt.NDArray[np.float64]:
        """Columns ``left, top, width, height`` as corners ``x0, y0, x1, y1``, float64 (N, 4), unchecked."""
        start = self.names.index("left")
        ltwh = self.values[:, start : start + 4]
        with np.errstate(invalid="ignore"):
            return np.concatenate([ltwh[:, :2], ltwh[:, :2] + ltwh[:, 2:]], axis=1)

    def _refuse(self, wrong: npt.NDArray[np.bool_], name: str, expected: str) -> None:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            value = self.values[row, self.names.index(name)]
            where = f"line {self.lines[row]}"
            raise DatasetError.at(self.path, where, f"{name} is {value:g}, expected {expected}")


def read_table(path: Path, names: Seq[str], required: int, *, may_be_empty: bool = True) -> Table:
    """Read rows of numbers separated by commas, or by blanks where a line has no comma.

    Blank lines and trailing commas are ignored. All rows of a file have the same number of columns.

    Args:
        path: the file.
        names: names of the columns a row may have, in order; the names of the box columns are
            ``left, top, width, height``.
        required: number of columns a row must have at least.
        may_be_empty: whether a file without any text has no rows, or is an export that failed.

    Returns:
        A table with as many columns as the rows have.

    Raises:
        DatasetError: names file and line of the first row that does not fit.
    """
    rows: list[list[float]] = []
    lines: list[int] = []
    whole = read_text(path)
    if not may_be_empty:
        refuse_empty(path, whole)
    for line, text in enumerate(whole.split("\n"), start=1):
        if text := text.strip().rstrip(", \t"):
            rows.append(_parse_row(path, line, text, names, required))
            lines.append(line)
            if len(rows[-1]) != len(rows[0]):
                problem = f"{len(rows[-1])} columns, but line {lines[0]} has {len(rows[0])}"
                raise DatasetError.at(path, f"line {line}", problem, "all rows need the same columns")
    width = len(rows[0]) if rows else len(names)
    values = np.array(rows, np.float64).reshape(-1, width)
    return Table(path, tuple(names[:width]), values, np.array(lines, np.int64))


def refuse_empty(path: Path, text: str) -> None:
    """Refuse a boxes file that holds nothing: an export that failed is no video without objects.

    Raises:
        DatasetError: there is nothing but blanks in ``text``.
    """
    if not text.strip():
        problem = f"is empty ({path.stat().st_size} bytes): an export that failed?"
        raise DatasetError.at(
            path, "", problem, "a video without objects has a file with a header, or is left out"
        )


def _parse_row(path: Path, line: int, text: str, names: Seq[str], required: int) -> list[float]:
    cells = text.split(",") if "," in text else text.split()
    if not required <= len(cells) <= len(names):
        count = str(required) if required == len(names) else f"{required} to {len(names)}"
        problem = f"{len(cells)} columns, expected {count}: {','.join(names)}"
        raise DatasetError.at(path, f"line {line}", problem)
    try:
        return [decimal(cell) for cell in cells]
    except ValueError:
        pass
    for name, cell in zip(names, cells, strict=False):
        try:
            decimal(cell)
        except ValueError:
            problem = f"{name} is {cell.strip()[:40]!r}, expected a number"
            raise DatasetError.at(path, f"line {line}", problem) from None
    raise AssertionError("a row that cannot be parsed has a cell that cannot")

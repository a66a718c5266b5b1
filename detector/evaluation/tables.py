"""Comma-separated tables of numbers, read fast; a bad one is reported with its line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spotlabel.detector.evaluation.records import Float64, Int64
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.regular import check_regular


def read_table(path: Path, columns: int) -> Float64:
    """Read a file of rows with ``columns`` finite numbers each; blank lines are skipped.

    Args:
        path: text file, no header.
        columns: numbers per row.

    Returns:
        float64 (N, columns), N may be 0.

    Raises:
        DatasetError: the file cannot be opened, or a line is not what it should be.
    """
    try:
        check_regular(path)
        table = _load(path)
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror or error}") from error
    except ValueError:  # UnicodeDecodeError is one, too
        _diagnose(path, columns)
        # Nothing wrong but lines of spaces, which numpy does not take for blank.
        table = _load([line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()])
    if table.size == 0:
        return np.zeros((0, columns))
    if table.shape[1] != columns or not np.isfinite(table).all():
        _diagnose(path, columns)
    return table


def _load(source: Path | list[str]) -> Float64:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*input contained no data", category=UserWarning)
        return np.loadtxt(source, np.float64, comments=None, delimiter=",", ndmin=2, encoding="utf-8-sig")


def whole(path: Path, table: Float64, column: int, name: str, least: int) -> Int64:
    """Column of whole numbers, none below ``least``: int64 (N,).

    Raises:
        DatasetError: a number is broken or too small.
    """
    values: Float64 = table[:, column]
    bad = (values != np.floor(values)) | (values < least) | (np.abs(values) >= 2**53)
    refuse_rows(path, bad, lambda row: f"{name} {values[row]:g}: expected a whole number, {least} or more")
    return values.astype(np.int64)


def refuse_rows(path: Path, bad: np.typing.NDArray[np.bool_], problem: Callable[[int], str]) -> None:
    """Raise for the first row where ``bad``, bool (N,), is true.

    Raises:
        DatasetError: there is such a row; ``problem`` of its index says what is wrong with it.
    """
    if bad.any():
        row = int(np.argmax(bad))
        raise DatasetError.at(path, f"line {_line_of(path, row)}", problem(row))


def _line_of(path: Path, row: int) -> int:
    text = path.read_text(encoding="utf-8-sig")
    return [n for n, line in enumerate(text.splitlines(), 1) if line.strip()][row]


def _diagnose(path: Path, columns: int) -> None:
    """Raise for the first line that is not ``columns`` finite numbers."""
    for number, raw in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        line = raw.decode("utf-8", "backslashreplace").strip()
        problem = _problem(line, columns) if line else None
        if problem:
            raise DatasetError.at(path, f"line {number}", problem)


def _problem(line: str, columns: int) -> str | None:
    fields = line.split(",")
    if len(fields) != columns:
        return f"{len(fields)} columns, expected {columns} separated by commas"
    for place, text in enumerate(fields, 1):
        try:
            value = float("?" if "_" in text else text)  # Python reads 1_000, no other reader does
        except ValueError:
            return f"column {place}: {text.strip()[:40]!r} is not a number"
        if not np.isfinite(value):
            return f"column {place}: {text.strip()!r}, expected a finite number"
    return None

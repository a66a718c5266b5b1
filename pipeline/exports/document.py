"""JSON documents of lists that are too long for memory: one row a line, written and read piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from spotlabel.pipeline.exports.staging import HashedFile


def compact(value: object) -> str:
    """A value as one line of JSON, in ASCII.

    Raises:
        ValueError: NaN or infinity in it.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


class Document:
    """A JSON object in the making: first its values, then its lists, each to its end.

    Args:
        file: what it is written to.
        values: what comes first, by name.
    """

    def __init__(self, file: HashedFile, values: Mapping[str, object]) -> None:
        self._file = file
        self._file.text(
            "{\n" + "".join(f"{compact(key)}: {compact(value)},\n" for key, value in values.items())
        )
        self._rows = -1

    def begin(self, name: str) -> None:
        """Begin a list, and end the one before."""
        self._file.text(("" if self._rows < 0 else "\n],\n") + f"{compact(name)}: [")
        self._rows = 0

    def row(self, value: str) -> None:
        """A row of the list, as one line of JSON."""
        self._file.text((",\n" if self._rows else "\n") + value)
        self._rows += 1

    def rows(self, values: Iterable[object]) -> None:
        """Further rows."""
        for value in values:
            self.row(compact(value))

    def end(self) -> None:
        """End the last list and the object."""
        self._file.text("\n]\n}\n")


def read_rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Rows of one list of a file that a :class:`Document` has written, one in memory at a time."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line == f"{compact(name)}: [\n":
                break
        for line in file:
            if line.startswith("]"):
                break
            yield json.loads(line.rstrip(",\n"))

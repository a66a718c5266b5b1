"""What every part is told, and where it writes what it finds."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Setting:
    """How a part runs.

    Attributes:
        device: ``cuda`` or ``cpu``.
        quick: toy sizes: shows that the part works, measures nothing.
        data: folder of real sequences; need not exist.
        work: folder for what the part writes beside its result.
    """

    device: str
    quick: bool
    data: Path
    work: Path


@dataclass
class Record:
    """A part's result, on disk as it comes: what was found before a crash or the end of time is kept.

    Attributes:
        path: the JSON file.
        values: ``state`` (``running``, ``done``, ``failed``, ``stopped``, ``not run``), ``seconds``,
            ``facts`` by name, ``tables`` by title (lists of rows by column), ``error`` (a traceback).
    """

    path: Path
    values: dict[str, Any] = field(default_factory=lambda: {"state": "running", "facts": {}, "tables": {}})
    _since: float = field(default_factory=time.monotonic)

    def fact(self, name: str, value: object) -> None:
        """Keep one finding: a number, a text or a list of them."""
        self.values["facts"][name] = value
        self.write()

    def row(self, table: str, **columns: object) -> None:
        """Add a row to a table."""
        self.values["tables"].setdefault(table, []).append(columns)
        self.write()

    def close(self, state: str, error: str = "") -> None:
        """The part has ended."""
        self.values["state"] = state
        if error:
            self.values["error"] = error
        self.write()

    def write(self) -> None:
        """Put the file in place as a whole."""
        self.values["seconds"] = round(time.monotonic() - self._since, 1)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.values, indent=1), encoding="utf-8")
        os.replace(partial, self.path)


def read_record(path: Path) -> dict[str, Any]:
    """What :class:`Record` wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values

"""Parts of a report that wait on the disk, so that memory does not grow with the number of videos."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Part:
    """Where a part stands.

    Attributes:
        start: its first byte.
        length: in bytes.
    """

    start: int
    length: int


class PartSpool:
    """Texts that are written once and read back in any order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = 0

    def put(self, text: str) -> Part:
        """Keep a text; gives where."""
        content = text.encode()
        self._file.seek(self._end)
        self._file.write(content)
        part = Part(self._end, len(content))
        self._end += len(content)
        return part

    def get(self, part: Part) -> bytes:
        """A text as UTF-8.

        Raises:
            OSError: the disk does not give it back whole.
        """
        self._file.seek(part.start)
        content = self._file.read(part.length)
        if len(content) != part.length:
            raise OSError("a part of the report could not be read back from the temporary folder")
        return content


@contextmanager
def part_spool() -> Iterator[PartSpool]:
    """A spool in the system's temporary folder; gone when the block ends."""
    with tempfile.TemporaryFile() as file:
        yield PartSpool(file)

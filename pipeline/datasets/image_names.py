"""Names of image files in an annotation file, and the files that they mean on this disk.

Annotation tools write names with backslashes, with the folder ``images`` before them, or with the whole path
of the machine that they ran on. Such a name is taken for what it means only where the name as it stands is no
file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from spotlabel.pipeline.datasets.layout import held, inside
from spotlabel.pipeline.errors import DatasetError

_TRIES = 20
"""Missing files of one folder after which no other reading of its names is tried."""


def with_slashes(name: str) -> str:
    """A name with ``/`` between its folders, whatever system it was written on."""
    return name.replace("\\", "/")


@dataclass(frozen=True)
class _Reading:
    """How the names of one folder become files: which folder they start in, and what is cut off in front."""

    base: Path
    slashes: bool = False
    cut: str = ""

    def relative(self, name: str) -> str:
        name = with_slashes(name) if self.slashes else name
        return name[len(self.cut) :].lstrip("/") if self.cut and name.startswith(self.cut) else name


@dataclass
class ImageNames:
    """Finds the files that names mean; all names of one folder are read in the same way.

    Attributes:
        source: the annotation file, for messages.
        bases: folders that names may be relative to; the first is the one that options or usage name.
        strip_prefix: what to cut off in front of names; empty for nothing.
    """

    source: Path
    bases: list[Path]
    strip_prefix: str = ""
    _readings: dict[str, _Reading] = field(default_factory=dict)
    _missing: dict[str, int] = field(default_factory=dict)

    def relative(self, name: str) -> str:
        """A name relative to the folder it starts in, with ``/`` between folders."""
        return self._reading(name).relative(name)

    def path(self, name: str, where: str) -> Path:
        """The file that a name means; it need not exist.

        Args:
            name: as the annotation file has it.
            where: element of the annotation file, for the error.

        Raises:
            DatasetError: the name leads out of the folders.
        """
        reading = self._reading(name)
        return inside(reading.base, reading.relative(name), self.source, where, "or set dataset.strip_prefix")

    def looked_for(self, name: str, where: str) -> str:
        """For an error: which file a name was taken for, and what is there instead."""
        try:
            path = self.path(name, where)
        except DatasetError as error:
            return str(error)
        folder = path.parent
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        advice = "set dataset.images to the folder that names start in, or dataset.strip_prefix to cut names"
        return f"{path}, as {where} says, and {folder} holds {held(folder)} ({advice})"

    def _reading(self, name: str) -> _Reading:
        folder = name[: max(name.rfind("/"), name.rfind("\\")) + 1]
        if folder in self._readings:
            return self._readings[folder]
        readings = list(self._possible(name))
        for reading in readings:
            if self._finds(reading, name):
                self._readings[folder] = reading
                return reading
        self._missing[folder] = self._missing.get(folder, 0) + 1
        if self._missing[folder] >= _TRIES:
            self._readings[folder] = readings[-1]
        return readings[-1]

    def _finds(self, reading: _Reading, name: str) -> bool:
        try:
            path = inside(reading.base, reading.relative(name), self.source, "")
        except DatasetError:
            return False
        return os.path.isfile(path)

    def _possible(self, name: str) -> Iterator[_Reading]:
        """Readings in the order in which they are tried; the last is the one if none finds a file."""
        plain = with_slashes(name)
        if self.strip_prefix and plain.startswith(with_slashes(self.strip_prefix)):
            cut = with_slashes(self.strip_prefix)
            yield from (_Reading(base, True, cut) for base in (*self.bases, self.bases[0]))
            return
        yield from (_Reading(base) for base in self.bases)
        if plain != name:
            yield from (_Reading(base, True) for base in self.bases)
        if PurePosixPath(plain).is_absolute():
            roots = ((base, f"{os.path.abspath(base).rstrip('/')}/") for base in self.bases)
            yield from (_Reading(base, True, root) for base, root in roots if plain.startswith(root))
        yield _Reading(self.bases[0], True)

"""What a teacher said of boxes, and what was made of that for a lesson, kept in files while they are needed.

A file that is damaged, or was made of something else, counts as none.
"""

from __future__ import annotations

import io
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.inputs import check_inputs

_SECONDS_BETWEEN_SAVES = 20.0
_MADE_OF = "made_of"
_DAMAGE = (OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading an archive raises that is none, or no longer."""


def keep_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]], made_of: str) -> None:
    """Write arrays to a file; the inputs must be what they were.

    Args:
        path: of the file.
        arrays: by name.
        made_of: digest of what they depend on.
    """
    check_inputs()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{_MADE_OF: np.array(made_of), **cast(dict[str, Any], dict(arrays))})
    write_atomically(path, buffer.getvalue())


def kept_arrays(path: Path, made_of: str) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a file that was made of this; None if there is none."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            if str(file[_MADE_OF]) != made_of:
                return None
            return {name: file[name] for name in file.files if name != _MADE_OF}
    except _DAMAGE:
        return None


class KeptAnswers(dict[tuple[int, int], list[npt.NDArray[np.uint8]]]):
    """What a teacher said, by frame number and row of the box; kept in a file.

    Args:
        path: of the file.
        made_of: digest of what it depends on.
    """

    def __init__(self, path: Path, made_of: str) -> None:
        super().__init__()
        self.path, self._made_of, self._saved = path, made_of, time.monotonic()
        try:
            for name, answer in (kept_arrays(path, made_of) or {}).items():
                number, row, _ = map(int, name.split())
                self.setdefault((number, row), []).append(answer)
        except ValueError:
            self.clear()
        self._kept = len(self)

    def now_and_then(self) -> None:
        """Save them if the last time is some while ago."""
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write the file; the inputs must be what they were."""
        if len(self) > self._kept:
            arrays = {
                f"{number} {row} {index}": answer
                for (number, row), answers in self.items()
                for index, answer in enumerate(answers)
            }
            keep_arrays(self.path, arrays, self._made_of)
        self._kept, self._saved = len(self), time.monotonic()

"""What a teacher said of boxes, and what was made of that for a lesson, kept in files while they are needed.

A file that is damaged, or was made of something else, counts as none.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.inputs import check_inputs

_SECONDS_BETWEEN_SAVES = 20.0
_DIGEST = 64
"""Length of the digest that a file begins with, hex digits."""


def keep_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]], made_of: str) -> None:
    """Write arrays to a file; the inputs must be what they were.

    Args:
        path: of the file.
        arrays: by name.
        made_of: digest of what they depend on.
    """
    check_inputs()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **cast(dict[str, Any], dict(arrays)))
    body = buffer.getvalue()
    write_atomically(path, _digest(made_of, body) + body)


def kept_arrays(path: Path, made_of: str) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a file that was made of this; None if there is none."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body = content[_DIGEST:]
    if content[:_DIGEST] != _digest(made_of, body):
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        return dict(file)


def _digest(made_of: str, body: bytes) -> bytes:
    """Of a file's arrays and of what they were made of: no damage leaves it as it is."""
    return hashlib.blake2b(made_of.encode() + body, digest_size=_DIGEST // 2).hexdigest().encode()


class KeptAnswers(dict[tuple[int, int], list[npt.NDArray[np.uint8]]]):
    """What a teacher said, by frame number and row of the box; kept in a file.

    Args:
        path: of the file.
        made_of: digest of what it depends on.
    """

    def __init__(self, path: Path, made_of: str) -> None:
        super().__init__()
        self.path, self._made_of, self._saved = path, made_of, time.monotonic()
        for name, answer in (kept_arrays(path, made_of) or {}).items():
            number, row, _ = map(int, name.split())
            self.setdefault((number, row), []).append(answer)
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

"""Sequences that cannot be listed: each fails by its name, and the others are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import DatasetError, FrameError, one_sentence
from spotlabel.pipeline.sequence import Camera, Image, Sequence


@dataclass(frozen=True)
class NoFrames:
    """Frames of a sequence that cannot be used: asked for anything it raises DatasetError.

    Attributes:
        problem: why, in one line.
    """

    problem: str

    @property
    def size(self) -> tuple[int, int]:
        """Raises DatasetError."""
        return self._fail()

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Raises DatasetError."""
        return self._fail()

    @property
    def step(self) -> int:
        """Raises DatasetError."""
        return self._fail()

    def __len__(self) -> int:
        return self._fail()

    def files(self) -> list[Path]:
        """Raises DatasetError."""
        return self._fail()

    def identity(self) -> Mapping[str, object]:
        """Raises DatasetError."""
        return self._fail()

    def read(self, index: int) -> Image:
        """Raises DatasetError."""
        return self._fail()

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        """Raises DatasetError."""
        return self._fail()

    def _fail(self) -> NoReturn:
        _fail(self.problem)


def unusable(name: str, reader: str, error: Exception) -> Sequence:
    """A sequence that stands for one that cannot be listed.

    Args:
        name: what the sequence would be called.
        reader: name and version of the reader.
        error: why it cannot be listed.
    """
    problem = one_sentence(error)
    return Sequence(
        name=name,
        frames=NoFrames(problem),
        camera=Camera.FIXED,
        annotation_files=(),
        reader=reader,
        load=partial(_fail, problem),
        problem=problem,
    )


def one_by_one(names: Iterable[str], reader: str, listed: Callable[[str], Sequence]) -> list[Sequence]:
    """List sequences so that one that cannot be listed stops only itself.

    Args:
        names: of the sequences.
        reader: name and version of the reader.
        listed: makes the sequence of a name; its DatasetError or OSError becomes the ``problem`` of a
            sequence that cannot be used.
    """
    found = []
    for name in names:
        try:
            found.append(listed(name))
        except (DatasetError, OSError) as error:
            found.append(unusable(name, reader, error))
    return found


def _fail(problem: str) -> NoReturn:
    raise DatasetError(problem)

"""How a store comes to its name: written into a partial file, sealed, read back, renamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import h5py

from spotlabel.pipeline.atomic import NO_SPACE, room
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store.plane import open_frames
from spotlabel.pipeline.store.seal import USER_BLOCK, publishing
from spotlabel.pipeline.store.spool import Spool
from spotlabel.pipeline.text import one_line


class Writer(Protocol):
    """What fills a store."""

    def finish(self) -> None:
        """Write what is still to be written; called once, before the file is closed."""

    def read_back(self, partial: Path) -> None:
        """Compare what is on disk with what was written; StoreError if it differs."""


_AnyWriter = TypeVar("_AnyWriter", bound=Writer)


def storable(name: str, value: object) -> object:
    """An attribute as it is, if HDF5 can hold it: its texts end at a NUL.

    Raises:
        StoreError: it holds one.
    """
    if isinstance(value, str) and "\0" in value:
        raise StoreError(f"{name} {one_line(value)}: HDF5 cannot hold a text with a NUL character; rename it")
    return value


@contextmanager
def published(path: Path, build: Callable[[tuple[h5py.File, Spool]], _AnyWriter]) -> Iterator[_AnyWriter]:
    """Build a writer on a partial HDF5 file; on leaving, close, seal, read back and rename the file.

    Raises:
        StoreError: the disk is full or what was written cannot be read back; ``path`` is untouched.
    """
    writers: list[_AnyWriter] = []

    def check(partial: Path) -> None:
        writers[0].read_back(partial)

    try:
        with publishing(path, check) as partial, Spool(partial) as spool:
            with open_frames(spool, "w", userblock_size=USER_BLOCK) as file:
                writers.append(build((file, spool)))
                yield writers[0]
                writers[0].finish()
            spool.check()
    except OSError as error:
        raise StoreError(_not_written(path, error)) from error


def _not_written(path: Path, error: OSError) -> str:
    """Why a store could not be written; speaks of space where that is what is short."""
    reason = error.strerror or str(error)
    if error.errno not in (*NO_SPACE, None):
        return f"{path}: could not be written: {reason}; mend the disk or set another `out`, then run again"
    return (
        f"{path}: could not be written ({room(path.parent)}): {reason}; "
        "free some space or set another `out`, then run again"
    )

"""The store of corrections: small, and the only one that nothing can make again.

One HDF5 file a video, sealed and written whole as the other stores are. Whoever changes it holds a lock
beside it, so of two at a time both are heard. Where a disk knows no locks, a store that changed between
reading and replacing is read again.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import fsync_folder
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.hashing import DigestCache, canonical_json
from spotlabel.pipeline.manual.corrections import Correction, Corrections, Key
from spotlabel.pipeline.store import schema
from spotlabel.pipeline.store.published import published, storable
from spotlabel.pipeline.store.seal import read_seal
from spotlabel.pipeline.store.sealed import SealedReader
from spotlabel.pipeline.store.sound import making_sense
from spotlabel.pipeline.store.spool import Spool

_COLUMNS: dict[str, tuple[npt.DTypeLike, tuple[int | None, ...]]] = {
    "frame": (np.int64, (None,)),
    "track": (np.int64, (None,)),
    "xyxy": (np.float32, (None, 4)),
    "decision": (np.uint8, (None,)),
    "place": (np.int64, (None, 4)),
    "offsets": (np.int64, (None,)),
    "bits": (np.uint8, (None,)),
}
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class ManualReader(SealedReader):
    """Corrections of one sequence as they lie in a file."""

    schema_name = schema.MANUAL_SCHEMA

    def corrections(self) -> Corrections:
        """All of them.

        Raises:
            StoreError: the file is damaged.
        """
        columns = {
            name: self.table(f"manual/{name}", dtype, shape) for name, (dtype, shape) in _COLUMNS.items()
        }
        with making_sense(self.path, "list of corrections"):
            lengths = {len(columns[name]) for name in ("frame", "track", "xyxy", "decision", "place")}
            if lengths != {len(columns["offsets"]) - 1}:
                raise ValueError(f"columns of {sorted(lengths)} rows")
            return Corrections.from_columns(columns)


class _Changed(Exception):
    """Another writer replaced the store while a new one was being written."""


class _Writer:
    """Writes corrections into a store that will replace another, unless that has got another seal."""

    def __init__(
        self, file: h5py.File, replaced: tuple[Path, bytes], sequence: str, corrections: Corrections
    ) -> None:
        self._file, self._replaced, self._corrections = file, replaced, corrections
        for name, value in {
            "schema": schema.MANUAL_SCHEMA,
            "schema_version": schema.SCHEMA_VERSIONS[schema.MANUAL_SCHEMA][-1],
            "sequence": sequence,
        }.items():
            file.attrs[name] = storable(name, value)

    def finish(self) -> None:
        """Write the tables and their checksums."""
        tables: dict[str, npt.NDArray[Any]] = {
            f"manual/{name}": column for name, column in self._corrections.columns().items()
        }
        for name, values in tables.items():
            self._file.create_dataset(name, data=values)
        checksums = {name: schema.table_crc32(name, values) for name, values in tables.items()}
        self._file.attrs[schema.TABLE_CRC] = canonical_json(checksums)

    def read_back(self, partial: Path) -> None:
        """What is on disk is what was meant, and nobody has changed what it replaces."""
        reader = ManualReader(partial)
        same = reader.corrections().digest == self._corrections.digest
        reader.close()
        if not same:
            raise StoreError(f"{partial}: corrections read back differently")
        path, seal = self._replaced
        if _seal(path) != seal:
            raise _Changed


def read_manual(path: Path) -> Corrections:
    """Corrections of a video; none if there is no file.

    Raises:
        StoreError: the file is damaged. It cannot be made again, so it is no reason to delete it.
    """
    if not path.exists():
        return Corrections()
    reader = ManualReader(path)
    try:
        return reader.corrections()
    except StoreError as error:
        if not path.exists():  # the last correction was dropped just now
            return Corrections()
        reason = str(error).removeprefix(f"{path}: ").partition("; delete it")[0]
        raise StoreError(
            f"{path}: corrections by hand cannot be read: {reason}; nothing can make them again: put a copy "
            "back, or move the file away to go on without them"
        ) from error
    finally:
        reader.close()


def manual_digest(path: Path, cache: DigestCache) -> str:
    """What stands for all corrections of a video, remembered; empty if there are none.

    Raises:
        StoreError: the file is damaged.
    """
    return cache.remembered(path, "manual", lambda file: read_manual(file).digest) if path.exists() else ""


def put_manual(path: Path, sequence: str, corrections: Iterable[Correction]) -> None:
    """Add corrections, or replace those of the same keys, in one step: all or none of them are kept.

    Args:
        path: see :func:`spotlabel.pipeline.names.manual_path`.
        sequence: the video's name.
        corrections: of that video.

    Raises:
        StoreError: the store is damaged or cannot be written; it is untouched.
    """
    added = list(corrections)
    if added:
        _change(path, sequence, lambda known: Corrections([*known.values(), *added]))


def drop_manual(path: Path, sequence: str, keys: Iterable[Key] | None = None) -> int:
    """Take corrections back, in one step.

    Args:
        path: see :func:`spotlabel.pipeline.names.manual_path`.
        sequence: the video's name.
        keys: of those; keys that nothing has are no error. None for all.

    Returns:
        How many there were. With the last one the file goes, too.

    Raises:
        StoreError: as for :func:`put_manual`.
    """
    unwanted = None if keys is None else {*keys}

    def kept(known: Corrections) -> Corrections:
        return Corrections(one for key, one in known.items() if unwanted is not None and key not in unwanted)

    if not path.exists():
        return 0
    before, after = _change(path, sequence, kept)
    return before - after


def _change(path: Path, sequence: str, change: Callable[[Corrections], Corrections]) -> tuple[int, int]:
    """Replace a store by what ``change`` makes of it; numbers of corrections before and after."""
    try:
        with _locked(path):
            while True:
                seal, known = _seal(path), read_manual(path)
                wanted = change(known)
                try:
                    if wanted.digest != known.digest:
                        _replace((path, seal), sequence, wanted)
                    return len(known), len(wanted)
                except _Changed:
                    continue
    except OSError as error:
        raise StoreError(f"{path}: corrections cannot be written: {error.strerror or error}") from error


def _replace(replaced: tuple[Path, bytes], sequence: str, corrections: Corrections) -> None:
    path = replaced[0]
    if not corrections:
        path.unlink(missing_ok=True)
        fsync_folder(path.parent)
        return

    def opened(target: tuple[h5py.File, Spool]) -> _Writer:
        return _Writer(target[0], replaced, sequence, corrections)

    with published(path, opened):
        pass


def _seal(path: Path) -> bytes:
    return read_seal(path) if path.exists() else b""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """While inside, no other thread or process of this host changes the store.

    The lock is a file of its own, which stays: the store is replaced, and a lock on it would go with the old
    one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
    finally:
        os.close(lock)

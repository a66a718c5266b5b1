"""Files that something is made of: what was parsed, decoded and hashed must be the same bytes.

A result is recorded with the content hashes of its inputs, but a file is read several times on the way there:
listed, hashed, parsed, decoded. Whoever edits it in between, be it for a moment, would get a result of one
content under the hash of another. So every reader of input files opens them here, and while something is
being made (:func:`watching_inputs`) each opening has to meet the very file that was met before; a last look
(:func:`check_inputs`) before the result takes its name sees what changed since.

A file is the same if device, inode, size, mtime and ctime are. No program can set ctime, and a change within
the same tick of the disk's clock is excluded by waiting until the file is older than a tick.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from spotlabel.pipeline.errors import ChangedInputError
from spotlabel.pipeline.regular import open_regular

_TICK = 0.02
"""Seconds within which two changes may carry one time stamp: twice the longest tick of Linux."""
_COARSE_TICK = 2.1
"""The same for disks that keep whole seconds only."""
_SECOND = 1_000_000_000


class _Look(NamedTuple):
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Inputs:
    """The input files of one result, as they were when first looked at. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[str, _Look] = {}
        self._spoiled = ""
        self._read: set[str] = set()

    def note(self, path: Path, look: _Look, *, read: bool) -> None:
        """A file as it is about to be read, or taken as known by its hash.

        Raises:
            ChangedInputError: it was another one before.
        """
        key = os.path.abspath(path)
        with self._lock:
            same = self._first.setdefault(key, look) == look
            if read:
                self._read.add(key)
        if not same:
            self._spoil(f"{path}: changed while it was in use; run again")

    def lost(self, path: Path, reason: str) -> None:
        """A file could not be opened.

        Raises:
            ChangedInputError: earlier it could.
        """
        with self._lock:
            known = os.path.abspath(path) in self._first
        if known:
            self._spoil(f"{path}: could be read before, and cannot now ({reason}); run again")

    def forget_reads(self) -> None:
        """Begin anew for :meth:`check_declared`; what files looked like stays known.

        Listing a dataset reads files of other videos, on which this one's result does not depend.
        """
        with self._lock:
            self._read.clear()

    def check_declared(self, files: Iterable[Path]) -> None:
        """See that nothing was read but files whose content is recorded with the result.

        Args:
            files: those.

        Raises:
            ChangedInputError: another one was read: it came after the dataset had been listed.
        """
        with self._lock:
            others = sorted(self._read - {os.path.abspath(path) for path in files})
        if others:
            self._spoil(f"{others[0]}: came while the dataset was being read; run again")

    def check(self) -> None:
        """A last look at every file.

        Raises:
            ChangedInputError: one has changed or is gone, or had done so in between.
        """
        with self._lock:
            names, spoiled = list(self._first), self._spoiled
        if spoiled:
            raise ChangedInputError(spoiled)
        for name in names:
            try:
                now = _look(os.stat(name))
            except OSError as error:
                self.lost(Path(name), error.strerror or str(error))
            else:
                self.note(Path(name), now, read=False)

    def _spoil(self, problem: str) -> None:
        """Raise now, and at the last look too: a reader may take the error for one of a frame."""
        with self._lock:
            self._spoiled = self._spoiled or problem
        raise ChangedInputError(problem)


_watchers: list[Inputs] = []
"""Who has to know. Readers work in threads of their own, so this is no context variable."""


@contextmanager
def watching_inputs() -> Iterator[Inputs]:
    """While inside, all input files that this process opens have to stay what they are."""
    inputs = Inputs()
    _watchers.append(inputs)
    try:
        yield inputs
    finally:
        _watchers.remove(inputs)


def check_inputs() -> None:
    """Before a result takes its name: see :meth:`Inputs.check`; nothing to do where nobody watches."""
    for inputs in list(_watchers):
        inputs.check()


def check_declared_inputs(files: Iterable[Path]) -> None:
    """See that whoever watches has read no others: see :meth:`Inputs.check_declared`."""
    declared = list(files)
    for inputs in list(_watchers):
        inputs.check_declared(declared)


def open_input(path: Path) -> io.BufferedReader:
    """Open a file for reading, noted.

    Raises:
        OSError: it cannot be opened, or is a named pipe, a socket or a device.
        ChangedInputError: it is not the file that it was.
    """
    try:
        file = open_regular(path)
        try:
            _note(path, _settled(path, file.fileno()), read=True)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        _lost(path, error)
        raise
    return file


def read_input(path: Path) -> bytes:
    """All bytes of a file; raises as :func:`open_input`."""
    with open_input(path) as file:
        return file.read()


def named_input(path: Path) -> None:
    """Note a file that a library opens by its name; one that cannot be looked at is left to the library."""
    try:
        _note(path, _settled(path, None), read=True)
    except OSError as error:
        _lost(path, error)


def hashed_input(path: Path) -> None:
    """Note a file of which a hash is about to be taken; raises as :func:`open_input`."""
    try:
        _note(path, _settled(path, None), read=False)
    except OSError as error:
        _lost(path, error)
        raise


def _note(path: Path, look: _Look, *, read: bool) -> None:
    for inputs in list(_watchers):
        inputs.note(path, look, read=read)


def _lost(path: Path, error: OSError) -> None:
    for inputs in list(_watchers):
        inputs.lost(path, error.strerror or str(error))


def _settled(path: Path, descriptor: int | None) -> _Look:
    """The state of a file once its last change is a tick ago, if anybody watches."""
    look = _look(os.stat(path) if descriptor is None else os.fstat(descriptor))
    while _watchers and (wait := _until_settled(look)) > 0:
        time.sleep(wait)
        look = _look(os.stat(path) if descriptor is None else os.fstat(descriptor))
    return look


def _until_settled(look: _Look) -> float:
    """Seconds to wait; none for a file that seems to come from the future, whose disk has another clock."""
    whole_seconds = look.ctime_ns % _SECOND == 0 and look.mtime_ns % _SECOND == 0
    age = time.time() - look.ctime_ns / _SECOND
    tick = _COARSE_TICK if whole_seconds else _TICK
    return tick - age if 0 <= age < tick else 0.0


def _look(found: os.stat_result) -> _Look:
    return _Look(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

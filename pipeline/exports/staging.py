"""Files of one video in the making: written aside, and given their names together when all are whole."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from spotlabel.pipeline.atomic import NO_SPACE, clear_folder, locked_partial, room
from spotlabel.pipeline.errors import ExportError

MAKING = ".making"
"""Folder below the export's, where files are before they take their names."""
_LINK = "link "


def link_digest(path: Path) -> str:
    """What a record says of a symbolic link."""
    return _LINK + hashlib.blake2b(os.fsencode(os.readlink(path)), digest_size=32).hexdigest()


class HashedFile:
    """A file that is written from its beginning to its end, and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hasher = hashlib.blake2b(digest_size=32)

    def write(self, content: bytes) -> None:
        """Append bytes."""
        self._hasher.update(content)
        self._file.write(content)

    def text(self, content: str) -> None:
        """Append text, as UTF-8; what is no Unicode (halves of surrogate pairs) is spelled out."""
        self.write(content.encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def digest(self) -> str:
        """BLAKE2b-256 of what was written, as hex."""
        return self._hasher.hexdigest()


class Staging:
    """A folder in which the files of one video are made; see :func:`staging`.

    Attributes:
        folder: it.
        files: what was written: path relative to the export's folder, and digest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, str] = {}
        self._begun: dict[str, HashedFile] = {}

    def begin(self, name: str) -> HashedFile:
        """A file to write piece by piece; it ends with :meth:`close`.

        Args:
            name: relative path; its parts are safe names.
        """
        file = HashedFile(open(self._place(name), "xb"))  # noqa: SIM115 - closed by close()
        self._begun[name] = file
        return file

    def write(self, name: str, content: bytes) -> None:
        """Write a file at once; see :meth:`begin`."""
        with open(self._place(name), "xb") as file:
            file.write(content)
        self.files[name] = hashlib.blake2b(content, digest_size=32).hexdigest()

    def close(self) -> None:
        """End all files that were begun."""
        while self._begun:
            name, file = self._begun.popitem()
            file.close()
            self.files[name] = file.digest()

    def link(self, name: str, target: Path) -> None:
        """Make a symbolic link to a file."""
        path = self._place(name)
        path.symlink_to(os.path.abspath(target))
        self.files[name] = link_digest(path)

    def _place(self, name: str) -> Path:
        parts = Path(name).parts
        if os.path.isabs(name) or any(part.startswith(".") for part in parts):
            raise ValueError(f"{name!r} is no name below the export's folder")
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def sync(self) -> None:
        """Flush everything to the disk, so that a rename never shows a file that a power cut empties."""
        self.close()
        for name in self.files:
            path = self.folder / name
            if not path.is_symlink():
                _fsync(path)
        for folder, _, _ in os.walk(self.folder):
            _fsync(Path(folder))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some disks cannot do that for folders; their files are whole all the same
            raise
    finally:
        os.close(descriptor)


@contextmanager
def staging(to: Path, stem: str) -> Iterator[Staging]:
    """A folder for the files of a video; gone at the end, with whatever is left in it.

    While it is in use a locked file lies beside it, by which :func:`clear_staging` knows that its maker
    lives.

    Args:
        to: the export's folder.
        stem: the video's file name.

    Raises:
        ExportError: the disk is full or cannot be written to.
    """
    try:
        lock, descriptor = locked_partial(to / MAKING / stem)
        folder = _folder_of(lock)
        try:
            folder.mkdir()
            stage = Staging(folder)
            try:
                yield stage
            finally:
                stage.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(descriptor)
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or to
        space = "free some space or " if error.errno in NO_SPACE else ""
        raise ExportError(
            f"{where}: could not be written ({room(to)}): {reason}; {space}export into another folder, "
            "then run again"
        ) from error


def clear_staging(to: Path) -> None:
    """Delete what killed exports have left in the making."""
    making = to / MAKING
    if not making.is_dir():
        return
    clear_folder(making)
    folders = sorted(making.iterdir())  # listed before the locks: no folder is there without its lock
    used = {_folder_of(lock) for lock in making.glob(".*.partial")}
    for folder in folders:
        if folder.is_dir() and folder not in used:
            shutil.rmtree(folder, ignore_errors=True)


def _folder_of(lock: Path) -> Path:
    return lock.with_name(lock.name.removeprefix(".").removesuffix(".partial"))

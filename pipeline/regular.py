"""Reading of regular files only: a named pipe, a socket or a device in a file's place would never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: Path) -> None:
    """Refuse what opening or reading would hang on, without opening it; links are followed.

    Raises:
        OSError: there is nothing, or a named pipe, socket or device; ``strerror`` says which. A folder is for
            whoever opens it.
    """
    kind = _KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    if kind:
        raise OSError(errno.EINVAL, f"is {kind}, expected a regular file", str(path))


def open_regular(path: Path) -> BufferedReader:
    """A regular file, opened for reading as bytes.

    Raises:
        OSError: as for :func:`check_regular`, or it cannot be opened.
    """
    check_regular(path)
    return open(path, "rb", opener=_without_waiting)


def regular_bytes(path: Path) -> bytes:
    """The bytes of a regular file; errors as :func:`open_regular`."""
    with open_regular(path) as file:
        return file.read()


def _without_waiting(name: str, flags: int) -> int:
    # The file may have become a pipe since it was looked at; without a writer, opening that would wait.
    return os.open(name, flags | os.O_NONBLOCK)

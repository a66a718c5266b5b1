"""Empty folders for child processes, among the system's temporary files; those of killed runs are cleared."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spotlabel.pipeline.atomic import host_mark

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def _prefix() -> str:
    return f"spotlabel-{host_mark()}-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder that is gone at the end; if this process is killed, with the next run on this host.

    Folders left before a reboot are not cleared, for their names hold that boot's id; whatever empties the
    system's temporary folder takes them. The folder is locked for as long as this process lives, so that
    :func:`clear_scratch` can tell.

    Raises:
        OSError: there is no room for it.
    """
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_prefix()))
        with suppress(FileNotFoundError):  # a cleaner came between creation and lock
            lock = os.open(folder, _FLAGS)
            with suppress(OSError):  # a disk without locks: nobody clears there either
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def clear_scratch() -> list[Path]:
    """Delete the scratch folders that killed runs of this user have left on this host since it was started.

    Returns:
        The deleted folders, sorted.
    """
    found = sorted(Path(tempfile.gettempdir()).glob(f"{_prefix()}*"))
    return [folder for folder in found if _clear(folder)]


def _clear(folder: Path) -> bool:
    """Delete a folder unless its owner lives, or is another user; true if it is gone."""
    try:
        lock = os.open(folder, _FLAGS)
    except OSError:  # just gone, or none of ours
        return False
    try:
        if os.fstat(lock).st_uid != os.geteuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # locked: its owner lives; or no locks here, and nothing to tell by
        return False
    finally:
        os.close(lock)
    return not folder.exists()

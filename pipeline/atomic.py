"""Files that stand under their name whole or not at all, and what killed writers leave of them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

_PARTIAL = ".partial"
_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{32}\.partial")
_OUR_FOLDERS = ("evidence/*", "students/*", "masks", "manual", "logs", ".digests", "jobs/*")
_HOST_DIGITS = 12
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk says that has no room, or none for this user or this file."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.ENOSYS)
SILENT_SECONDS = 7 * 86400
"""A partial file whose writer cannot be asked (another host's, or no locks on this disk) counts as left
behind when nobody has written to it for so long: longer than schedulers usually let a job live."""
_LOG = logging.getLogger("spotlabel")


def write_atomically(path: Path, content: bytes) -> None:
    """Bytes to a temporary file beside ``path``, then to its name; synced to the disk at each step."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file beside ``path`` to write to piece by piece.

    It is a locked partial file (:func:`locked_partial`), so that what a killed
    process leaves can be told from what a living one writes. It takes the name when the block ends without
    an error and is gone otherwise; synced to the disk before and after. A disk that is full names the file.
    """
    partial, lock = locked_partial(path)
    try:
        with os.fdopen(os.dup(lock), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_SPACE and error.filename is None:
            error.filename = str(path)  # the descriptor that was written to has no name
        raise
    finally:
        os.close(lock)
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut.

    Some disks (SMB, shared folders of virtual machines, FUSE) cannot do that for folders and refuse; the
    files in them are whole all the same, so that is a line in the log, once a process and folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        _tell_no_folder_sync(folder, error.strerror or str(error))
    finally:
        os.close(descriptor)


def room(folder: Path) -> str:
    """What is free on the disk of a folder, for messages; and whether no file entry (inode) is left."""
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    free = f"{disk.f_bavail * disk.f_frsize / 2**20:.1f} MiB free there"
    # Disks without a fixed number of entries (btrfs) report 0 of 0.
    return f"{free}, but no inode: delete files there" if disk.f_files and not disk.f_favail else free


@cache
def _tell_no_folder_sync(folder: Path, reason: str) -> None:
    _LOG.info("%s: this disk does not flush folders (%s); files are whole all the same", folder, reason)


def locked_partial(final: Path) -> tuple[Path, int]:
    """Create an empty partial file beside ``final`` that no one takes for an orphan.

    Returns:
        Its path and an open descriptor, which holds the lock until it is closed.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    while True:
        mark = host_mark() + uuid.uuid4().hex[_HOST_DIGITS:]
        partial = final.parent / f".{final.name}.{mark}{_PARTIAL}"
        lock = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(lock)
                raise
        if partial.exists():  # a cleaner may have come between creation and lock
            return partial, lock
        os.close(lock)


@cache
def host_mark() -> str:
    """Twelve hex digits for the running kernel: its processes, in containers too, see each other's locks."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        address = uuid.getnode()
        made_up = address >> 40 & 1  # no network card was found: another number in every process
        name = f"{os.uname().nodename} {'' if made_up else address}"
    return hashlib.blake2b(name.encode()).hexdigest()[:_HOST_DIGITS]


def clear_partials(out: Path, stem: str = "") -> list[Path]:
    """Delete partial files whose writers are dead, in the folders of an output root that hold ours.

    A lock shows the living of this host at once. On many shared disks (Lustre, NFS with local locks) it says
    nothing of other hosts, and some have no locks: there a file goes only after a week without a write.

    Args:
        out: an output root; need not exist.
        stem: file name, without suffix, of the one video whose partial files are meant; empty for all.

    Returns:
        The deleted paths, sorted.
    """
    mine = re.compile(rf"\.{re.escape(stem)}\.[a-z0-9]+\.[0-9a-f]{{32}}\.partial") if stem else _PARTIAL_NAME
    folders = (folder for pattern in _OUR_FOLDERS for folder in out.glob(pattern))
    return sorted(path for folder in folders for path in _clear_folder(folder, mine))


def clear_folder(folder: Path) -> list[Path]:
    """Delete partial files whose writers are dead, in one folder; see :func:`clear_partials`."""
    return sorted(_clear_folder(folder, _PARTIAL_NAME))


def _clear_folder(folder: Path, names: re.Pattern[str]) -> list[Path]:
    found = sorted(path for path in folder.glob(f".*{_PARTIAL}") if names.fullmatch(path.name))
    return [path for path in found if _clear(path)]


def _clear(partial: Path) -> bool:
    """Delete one partial file unless its writer lives, or may live; true if it is gone."""
    try:
        if not _made_here(partial) and not _silent(partial):
            return False
        lock = os.open(partial, os.O_RDWR)
        try:
            if not _unlocked(lock, partial):
                return False
            partial.unlink(missing_ok=True)
        finally:
            os.close(lock)
    except FileNotFoundError:  # its writer has just finished
        return False
    except OSError as error:
        _LOG.warning("%s: leftover of a killed run cannot be removed: %s", partial, error.strerror)
        return False
    return True


def _made_here(partial: Path) -> bool:
    return partial.name.removesuffix(_PARTIAL).rpartition(".")[2].startswith(host_mark())


def _unlocked(lock: int, partial: Path) -> bool:
    """Whether no living writer holds the lock; where the disk knows no locks, silence has to do."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return _silent(partial)
    return True


def _silent(partial: Path) -> bool:
    """Whether nobody has written to the file for long, by the clock of the disk it is on."""
    with tempfile.TemporaryFile(dir=partial.parent) as probe:
        now = os.fstat(probe.fileno()).st_mtime
    return now - partial.stat().st_mtime > SILENT_SECONDS

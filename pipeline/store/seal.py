"""The seal: how a file comes to its final name whole, and how anyone can tell that it still is.

A sealed file starts with a 512-byte HDF5 user block (plain h5py skips it) that holds the length and the
BLAKE2b digest of all bytes after it, so one flipped bit or one lost byte anywhere shows. HDF5's own
fletcher32 covers only chunks: metadata, attributes and gaps would go unnoticed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from spotlabel.pipeline.errors import StoreError

USER_BLOCK = 512
_MAGIC = "spotlabel-seal 1"
_PARTIAL = ".partial"
_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{32}\.partial")
_OUR_FOLDERS = ("evidence/*", "masks", "logs", ".digests", "jobs/*")
_READ_SIZE = 1 << 20
_HOST_DIGITS = 12
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
SILENT_SECONDS = 7 * 86400
"""A partial file whose writer cannot be asked (another host's, or no locks on this disk) counts as left
behind when nobody has written to it for so long: longer than schedulers usually let a job live."""
_LOG = logging.getLogger("spotlabel")


def _user_block(digest: str, length: int) -> bytes:
    return f"{_MAGIC} blake2b-256={digest} bytes={length}\n".encode().ljust(USER_BLOCK, b"\0")


def _digest_body(descriptor: int) -> tuple[str, int]:
    """Digest and length of everything after the user block, read with positions (no shared file offset)."""
    hasher, offset = hashlib.blake2b(digest_size=32), USER_BLOCK
    while block := os.pread(descriptor, _READ_SIZE, offset):
        hasher.update(block)
        offset += len(block)
    return hasher.hexdigest(), offset - USER_BLOCK


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor for reading; whatever the disk says becomes one line."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: cannot be opened: there is no such store; run `spotlabel label`"
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def read_seal(path: Path) -> bytes:
    """The seal as it stands in the file, unchecked: it changes whenever the content does.

    Raises:
        StoreError: the file cannot be read.
    """
    with _opened(path) as descriptor:
        return os.pread(descriptor, USER_BLOCK, 0)


def check_seal(path: Path) -> str:
    """Read the whole file and compare it with its seal.

    Args:
        path: a sealed store file.

    Returns:
        The hex digest of the body: equal digests mean equal files.

    Raises:
        StoreError: no such file, not a sealed file, or its bytes are not those that were sealed.
    """
    with _opened(path) as descriptor:
        found = os.pread(descriptor, USER_BLOCK, 0)
        digest, length = _digest_body(descriptor)
    if not found.startswith(_MAGIC.encode()):
        raise StoreError(f"{path}: not a sealed spotlabel store (no seal in its first {USER_BLOCK} bytes)")
    if found != _user_block(digest, length):
        raise StoreError(
            f"{path}: damaged: its {length + USER_BLOCK} bytes do not match its seal; "
            "delete it and run `spotlabel label` again"
        )
    return digest


def seal_file(path: Path) -> None:
    """Write the seal of a closed HDF5 file into its user block and flush it to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        block = _user_block(*_digest_body(descriptor))
        if os.pwrite(descriptor, block, 0) != USER_BLOCK:
            raise OSError(f"{path}: short write of the seal")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def publishing(final: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Give a partial file to write, then seal, check and rename it to its final name.

    The partial file carries an exclusive ``flock`` for as long as its writer lives, and its writer's host in
    its name, which is how :func:`clear_partials` tells a dead writer's leftovers from a file being written.
    Two writers of one store each write a partial of their own; the last rename wins, both are whole.

    Args:
        final: where the sealed file shall stand.
        check: called with the sealed partial; raises if what was written cannot be read back.

    Yields:
        Path of the (empty) partial file, in the folder of ``final``.

    Raises:
        OSError: disk full and the like; the partial file is gone, ``final`` is untouched.
    """
    partial, lock = locked_partial(final)
    try:
        yield partial
        seal_file(partial)
        check(partial)
        os.replace(partial, final)
        fsync_folder(final.parent)
    finally:
        partial.unlink(missing_ok=True)
        os.close(lock)


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

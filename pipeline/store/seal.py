"""The seal: how a file comes to its final name whole, and how anyone can tell that it still is.

A sealed file starts with a 512-byte HDF5 user block (plain h5py skips it) that holds the length and the
BLAKE2b digest of all bytes after it, so one flipped bit or one lost byte anywhere shows. HDF5's own
fletcher32 covers only chunks: metadata, attributes and gaps would go unnoticed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spotlabel.pipeline.atomic import fsync_folder, locked_partial
from spotlabel.pipeline.errors import DamagedStoreError, StoreError
from spotlabel.pipeline.hashing import DigestCache
from spotlabel.pipeline.regular import check_regular
from spotlabel.pipeline.store.heaps import SIGNATURE, found_in, is_sound

USER_BLOCK = 512
_MAGIC = "spotlabel-seal 1"
_SEAL = re.compile(rf"{_MAGIC} blake2b-256=([0-9a-f]{{64}}) ".encode())
_READ_SIZE = 1 << 20


def _user_block(digest: str, length: int) -> bytes:
    return f"{_MAGIC} blake2b-256={digest} bytes={length}\n".encode().ljust(USER_BLOCK, b"\0")


def _digest_body(descriptor: int) -> tuple[str, int, set[int]]:
    """Digest and length of everything after the user block, read with positions (no shared file offset).

    Also where heaps begin: the bytes are at hand.
    """
    hasher, offset = hashlib.blake2b(digest_size=32), USER_BLOCK
    heaps, last = set[int](), b""
    while block := os.pread(descriptor, _READ_SIZE, offset):
        hasher.update(block)
        heaps.update(offset + at for at in found_in(block))
        heaps.update(offset - len(last) + at for at in found_in(last + block[: len(SIGNATURE)]))
        offset, last = offset + len(block), block[-len(SIGNATURE) :]
    return hasher.hexdigest(), offset - USER_BLOCK, heaps


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor for reading; whatever the disk says becomes one line."""
    try:
        check_regular(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: cannot be opened: there is no such store; run `spotlabel label`"
        ) from error
    except OSError as error:
        raise DamagedStoreError(f"{path}: cannot be read: {error.strerror}") from error


def read_seal(path: Path) -> bytes:
    """The seal as it stands in the file, unchecked: it changes whenever the content does.

    Raises:
        StoreError: the file cannot be read.
    """
    with _opened(path) as descriptor:
        return os.pread(descriptor, USER_BLOCK, 0)


def sealed_as(seal: bytes) -> str:
    """The hex digest that a seal records; empty if it is none."""
    found = _SEAL.match(seal)
    return found[1].decode() if found else ""


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
        block = os.pread(descriptor, USER_BLOCK, 0)
        digest, length, heaps = _digest_body(descriptor)
        sound = all(is_sound(descriptor, heap, length + USER_BLOCK) for heap in heaps)
    if not block.startswith(_MAGIC.encode()):
        raise DamagedStoreError(
            f"{path}: not a sealed spotlabel store (no seal in its first {USER_BLOCK} bytes)"
        )
    if block != _user_block(digest, length):
        raise DamagedStoreError(
            f"{path}: damaged: its {length + USER_BLOCK} bytes do not match its seal; "
            "delete it and run `spotlabel label` again"
        )
    if not sound:
        raise DamagedStoreError(
            f"{path}: damaged: the place of its texts makes no sense; delete it and run "
            "`spotlabel label` again"
        )
    return digest


def sealed_digest(path: Path, cache: DigestCache) -> str:
    """As :func:`check_seal`, remembered: a store that has not changed since is not read again."""
    return cache.remembered(path, "seal", check_seal)


def seal_file(path: Path) -> None:
    """Write the seal of a closed HDF5 file into its user block and flush it to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        block = _user_block(*_digest_body(descriptor)[:2])
        if os.pwrite(descriptor, block, 0) != USER_BLOCK:
            raise OSError(f"{path}: short write of the seal")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def publishing(final: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Give a partial file to write, then seal, check and rename it to its final name.

    The partial file carries an exclusive ``flock`` for as long as its writer lives, and its writer's host in
    its name: so :func:`spotlabel.pipeline.atomic.clear_partials` tells what a dead writer has left from a
    file being written.
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

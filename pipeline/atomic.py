"""Files that stand under their name whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from spotlabel.pipeline.store.seal import locked_partial


def write_atomically(path: Path, content: bytes) -> None:
    """Bytes to a temporary file beside ``path``, then to its name; synced to the disk at each step."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file beside ``path`` to write to piece by piece.

    It is a locked partial file (:func:`spotlabel.pipeline.store.seal.locked_partial`), so that what a killed
    process leaves can be told from what a living one writes. It takes the name when the block ends without
    an error and is gone otherwise; synced to the disk before and after.
    """
    partial, lock = locked_partial(path)
    try:
        with os.fdopen(os.dup(lock), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

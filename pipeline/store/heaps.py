"""Global heaps of an HDF5 file, in which its texts lie: the library walks a damaged one for ever."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

SIGNATURE = b"GCOL\x01\0\0\0"
"""How a global heap collection begins (HDF5 file format, III.E): signature, version, three zeros."""
_OBJECT = struct.Struct("<HHIQ")
_HEAD = 16


def found_in(block: bytes) -> Iterator[int]:
    """Places in a piece of a file where a heap may begin."""
    at = block.find(SIGNATURE)
    while at >= 0:
        yield at
        at = block.find(SIGNATURE, at + 1)


def is_sound(descriptor: int, offset: int, end: int) -> bool:
    """Whether the objects of a heap fill it, one after the other.

    Args:
        descriptor: of the file.
        offset: where the heap begins.
        end: size of the file.
    """
    size = int.from_bytes(os.pread(descriptor, 8, offset + 8), "little")
    if not _HEAD <= size <= end - offset:
        return False
    heap, at = os.pread(descriptor, size, offset), _HEAD
    while at + _OBJECT.size <= size:
        index, _, _, length = _OBJECT.unpack_from(heap, at)
        if index == 0:  # the free rest, its own head included
            return bool(length == size - at)
        at += _OBJECT.size + length + -length % 8
    return at <= size

"""Chunks as they lie in a file, unpacked beside HDF5: the same bytes in a third of the time.

HDF5 is asked for the packed bytes alone. Its two filters, deflate and fletcher32, are undone here, and
whatever is not as expected is left to HDF5, which then says what is wrong.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

# libdeflate, several times as fast; there are machines for which nobody has built it
_DEFLATE: Any = import_module("deflate") if find_spec("deflate") else None

_SUM_BYTES = 4
_MOST_WORDS = 1 << 22
"""Of 16 bits in a checksum worked out here: sums of more would leave 64 bits."""


def crc32(data: npt.NDArray[Any]) -> int:
    """CRC-32 of an array's numbers in C order."""
    plain = np.ascontiguousarray(data).reshape(-1).view(np.uint8).data
    return int(_DEFLATE.crc32(plain)) if _DEFLATE else zlib.crc32(plain)


def unpacked(chunk: bytes, size: int) -> npt.NDArray[np.uint8] | None:
    """Undo fletcher32 and deflate, as HDF5's filter pipeline applies them.

    Args:
        chunk: as in the file.
        size: bytes that it should hold, above 0; never more than one beyond these are made.

    Returns:
        uint8 (size,); None if the checksum, the stream or the number of bytes is not right.
    """
    packed, written = chunk[:-_SUM_BYTES], chunk[-_SUM_BYTES:]
    if fletcher32(packed) != int.from_bytes(written, "little"):
        return None
    data = _inflated(packed, size)
    return None if data is None or len(data) != size else np.frombuffer(data, np.uint8)


def fletcher32(data: bytes) -> int | None:
    """HDF5's checksum of bytes (H5checksum.c): sums of big-endian 16-bit words, modulo 65535.

    Returns:
        The sum of the running sums in the higher 16 bits, the plain sum in the lower ones; None if there are
        no bytes or too many.
    """
    words = np.frombuffer(data + bytes(len(data) % 2), ">u2").astype(np.uint64)
    if not 0 < len(words) <= _MOST_WORDS:
        return None
    running = int(words @ np.arange(len(words), 0, -1, dtype=np.uint64))
    return _folded(running) << 16 | _folded(int(words.sum()))


def _folded(total: int) -> int:
    """A sum of 16-bit words whose carries are added at the lower end: 65535 stands for its multiples."""
    return (total - 1) % 0xFFFF + 1 if total else 0


def _inflated(packed: bytes, size: int) -> bytearray | None:
    """What a zlib stream holds, if that is ``size`` bytes; else None or bytes of another number."""
    if _DEFLATE:
        try:
            inflated: bytearray = _DEFLATE.zlib_decompress(packed, size)
        except _DEFLATE.DeflateError:
            return None
        return inflated
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, size + 1)
    except zlib.error:
        return None
    return bytearray(data) if stream.eof else None

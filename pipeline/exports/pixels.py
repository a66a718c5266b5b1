"""PNG files of numbers: 8 bits with a palette, as DAVIS and Pascal VOC have them, or 16 bits grey."""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _INDEXED = 0, 3
_LEVEL = 1
"""Of compression: such pictures are mostly of one value."""


def indexed_png(plane: npt.NDArray[np.uint8]) -> bytes:
    """uint8 (H, W) as an indexed picture in the colours of Pascal VOC: values stay, and can be seen."""
    return _png(plane, 8, _INDEXED, _chunk(b"PLTE", palette().tobytes()))


def grey16_png(plane: npt.NDArray[np.uint16]) -> bytes:
    """uint16 (H, W) as a grey picture of 16 bits."""
    return _png(plane.astype(">u2"), 16, _GREY, b"")


@cache
def palette() -> npt.NDArray[np.uint8]:
    """Pascal VOC's colours, uint8 (256, 3) in RGB: bits of the number, spread over the three channels."""
    values = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for place in range(8):  # bits of the value go in turn to red, green and blue, to ever lower bits there
        colours[:, place % 3] |= ((values >> place & 1) << (7 - place // 3)).astype(np.uint8)
    return colours


def _png(plane: npt.NDArray[np.generic], depth: int, colour: int, more: bytes) -> bytes:
    height, width = plane.shape
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    rows = np.zeros((height, 1 + width * depth // 8), np.uint8)  # the first byte of a row: no filter
    rows[:, 1:] = np.ascontiguousarray(plane).view(np.uint8).reshape(height, -1)
    body = _chunk(b"IDAT", zlib.compress(rows.tobytes(), _LEVEL))
    return _SIGNATURE + _chunk(b"IHDR", head) + more + body + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

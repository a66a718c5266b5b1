"""PNG files of numbers as numbers: decoders of images give the colours of a palette in their place."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames import decode_image
from spotlabel.pipeline.inputs import read_input

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _INDEXED = 0, 3


def read_indexed(path: Path) -> Plane:
    """Numbers of a grey or indexed PNG of up to 8 bits: uint8 (H, W).

    Raises:
        DatasetError: the file cannot be read whole, or holds colours.
    """
    try:
        content = read_input(path)
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror}") from error
    depth, colour = _kind(path, content)
    if colour not in (_GREY, _INDEXED) or depth > 8:
        raise DatasetError.at(
            path, "", "expected an indexed picture of 8 bits, got colours or more bits",
            "save it with its palette: a value is an object",
        )  # fmt: skip
    try:
        pixels = decode_image(_as_grey(content), str(path), "convert")
    except (FrameError, struct.error) as error:
        raise DatasetError.at(path, "", f"cannot be decoded: {error}") from error
    highest = 2**depth - 1  # decoders spread few bits over the whole range
    numbers: Plane = (pixels[..., 0].astype(np.uint16) * highest // 255).astype(np.uint8)
    return numbers


def _kind(path: Path, content: bytes) -> tuple[int, int]:
    """Bits of a number, and PNG's colour type."""
    if not content.startswith(_SIGNATURE) or content[12:16] != b"IHDR" or len(content) < 33:
        raise DatasetError.at(path, "", "is no PNG file", "export with --format png and edit these")
    return content[24], content[25]


def _as_grey(content: bytes) -> bytes:
    """The same picture without its palette: rows of numbers are stored alike."""
    kept = [_SIGNATURE]
    for kind, data in _chunks(content):
        if kind == b"IHDR":
            kept.append(_chunk(kind, data[:9] + bytes([_GREY]) + data[10:]))
        elif kind in (b"IDAT", b"IEND"):
            kept.append(_chunk(kind, data))
    return b"".join(kept)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each chunk, as far as they are whole; one whose checksum fails ends the file."""
    place = len(_SIGNATURE)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        checksum = content[place + 8 + length : place + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(kind + data)):
            return
        yield kind, data
        place += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

"""The orientation tag of an image file, from its head and without decoding a pixel.

JPEG (APP1 segment, CIPA DC-008), PNG (chunk ``eXIf``), WebP (chunk ``EXIF``) and TIFF hold the same tag in
the same structure.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

_TIFF_MAGICS = (b"II*\0", b"MM\0*")

_TAG = 0x0112
_FORMATS = {1: "B", 3: "H", 4: "I"}  # types of the tag's value: BYTE, SHORT, LONG
_EXIF = b"Exif\0"
_EXIF_BYTES = 6  # the name and one byte of padding
_APP1 = 0xE1
_LAST_SEGMENTS = (0xD9, 0xDA)  # end of the image, start of a scan


def orientation_tag(file: BinaryIO) -> int | None:
    """Value of the orientation tag.

    Args:
        file: an image file of any format, open for reading bytes; it may seek.

    Returns:
        The number as it stands there, 1 to 8 if it is valid; None if there is no such tag, if the file cannot
        be understood, or is of another format.
    """
    file.seek(0)
    head = file.read(12)
    try:
        if head[:2] == b"\xff\xd8":
            return _of_jpeg(file)
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return _of_chunks(file, 8, b"eXIf", ">I4s", 4)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _of_chunks(file, 12, b"EXIF", "<4sI", 0)
        return _of_tiff(file) if head[:4] in _TIFF_MAGICS else None
    except struct.error:  # the file ends in the middle of it
        return None


def is_tiff(file: BinaryIO) -> bool:
    """Whether a file that is open for reading bytes is a TIFF file."""
    file.seek(0)
    return file.read(4) in _TIFF_MAGICS


def _of_jpeg(file: BinaryIO) -> int | None:
    file.seek(2)
    while True:
        start = file.read(2)
        while start == b"\xff\xff":  # fill bytes
            start = start[1:] + file.read(1)
        if len(start) < 2 or start[0] != 0xFF or start[1] in _LAST_SEGMENTS:
            return None
        (length,) = struct.unpack(">H", file.read(2))
        end = file.tell() + length - 2
        if start[1] == _APP1 and file.read(_EXIF_BYTES).startswith(_EXIF):
            return _of_tiff(io.BytesIO(file.read(length - 2 - _EXIF_BYTES)))
        file.seek(end)


def _of_chunks(file: BinaryIO, start: int, wanted: bytes, header: str, checksum: int) -> int | None:
    """From the first chunk of a name; PNG's length comes before the name, RIFF's after it and padded."""
    file.seek(start)
    while len(head := file.read(8)) == 8:
        first, second = struct.unpack(header, head)
        name, length = (first, second) if isinstance(first, bytes) else (second, first)
        if name == wanted:
            body = file.read(length)
            return _of_tiff(io.BytesIO(body[_EXIF_BYTES:] if body.startswith(_EXIF) else body))
        file.seek(length + checksum + (0 if checksum else length % 2), io.SEEK_CUR)
    return None


def _of_tiff(file: BinaryIO) -> int | None:
    """From the first directory (TIFF 6.0, section 2)."""
    file.seek(0)
    magic = file.read(4)
    if magic not in _TIFF_MAGICS:
        return None
    order = "<" if magic[:2] == b"II" else ">"
    (offset,) = struct.unpack(f"{order}I", file.read(4))
    file.seek(offset)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    for _ in range(count):
        entry = file.read(12)
        tag, kind, _values = struct.unpack(f"{order}HHI", entry[:8])
        if tag == _TAG and kind in _FORMATS:
            return int(struct.unpack_from(f"{order}{_FORMATS[kind]}", entry, 8)[0])
    return None

"""How large a picture its header says it is, before any pixel of it is decoded."""

from __future__ import annotations

import struct

import simplejpeg

from spotlabel.pipeline.errors import FrameError

MAX_PIXELS = 2**28
"""16384 x 16384: what is larger is no frame of a camera; decoded it would take gigabytes."""

_TIFF_MAGICS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_FORMATS = {3: "H", 4: "I"}  # types of these tags: SHORT, LONG
_BMP_CORE_HEADER = 12


def check_pixels(width: int, height: int, name: str) -> None:
    """Refuse a picture of more than :data:`MAX_PIXELS`.

    Raises:
        FrameError: names the size and the limit.
    """
    if width * height > MAX_PIXELS:
        raise FrameError(
            f"{name}: says it has {width} x {height} pixels, expected {MAX_PIXELS} at most in all (a damaged "
            "or hostile header? else scale it down)"
        )


def check_header(data: bytes, name: str) -> None:
    """:func:`check_pixels` for an image file, by its header.

    Known are JPEG, PNG, BMP, GIF and TIFF. A WebP cannot be larger than 16383 x 16383; the bytes of a PNM are
    as many as its pixels.

    Args:
        data: the whole file.
        name: what to call it in error messages.

    Raises:
        FrameError: too large. A header that cannot be read is left to the decoder.
    """
    try:
        width, height = _size(data)
    except (struct.error, ValueError):
        return
    check_pixels(width, height, name)


def _size(data: bytes) -> tuple[int, int]:
    """Width and height; 0 x 0 of a format that is not known here."""
    if data.startswith(b"\xff\xd8"):
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        return width, height
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", data, 16)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack_from("<HH", data, 6)
    elif data.startswith(b"BM"):
        core = struct.unpack_from("<I", data, 14)[0] == _BMP_CORE_HEADER
        width, height = struct.unpack_from("<HH" if core else "<ii", data, 18)
    else:
        width, height = _of_tiff(data) if data[:4] in _TIFF_MAGICS else (0, 0)
    return abs(width), abs(height)


def _of_tiff(data: bytes) -> tuple[int, int]:
    """From the first directory (TIFF 6.0, section 2)."""
    order = _TIFF_MAGICS[data[:4]]
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    sides = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in sides and kind in _TIFF_FORMATS:
            (sides[tag],) = struct.unpack_from(f"{order}{_TIFF_FORMATS[kind]}", data, place + 8)
    return sides[_TIFF_WIDTH], sides[_TIFF_HEIGHT]

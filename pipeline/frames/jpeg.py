"""JPEG to pixels: whole, or whole though odd at its end, or an error.

Webcams and IP cameras pad the pixel data before the end marker; dumps of MJPEG streams leave the marker out.
libjpeg-turbo gives the same kind of warning for these as for an image that was cut, and fills up what is
missing with grey or with nonsense. An odd file is therefore decoded once more, with its padding taken away
and an end marker right behind the pixel data: if then nothing is missed, all pixels are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import numpy as np
import simplejpeg

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.sequence import Image

MAGIC = b"\xff\xd8"

_END = b"\xff\xd9"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # in pixel data: no stuffed byte, no restart marker
_STANDALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
_SCAN, _END_CODE = 0xDA, 0xD9
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, Huffman coded
_MIXED_PADDING = 16
"""Most bytes of padding that are not all alike: more of them could be the rest of another picture."""
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


def decode_jpeg(data: bytes, name: str, odd_ends: Literal["accept", "fail"]) -> tuple[Image, str]:
    """Decode one JPEG file.

    Args:
        data: the whole file.
        name: what to call the file in error messages.
        odd_ends: what becomes of a file that has padding before its end marker, or no end marker, although
            every pixel is there.

    Returns:
        uint8 (H, W, 3) BGR, or (H, W) for a grey JPEG, as stored; and what is odd, empty if nothing is.

    Raises:
        FrameError: truncated, corrupt, CMYK, or an odd end where that is to fail.
    """
    try:
        return _pixels(data, name), ""
    except ValueError as error:
        pixels = _odd_but_whole(data, name, str(error))
        if pixels is None:
            raise FrameError(f"{name}: truncated or corrupt JPEG: {error}") from error
        if odd_ends == "fail":
            problem = f"the JPEG ends oddly, though all of it decodes: {error}"
            raise FrameError(f"{name}: {problem} (or set frames.odd_ends=accept)") from error
        return pixels, "no end marker, or padding before it"


def _pixels(data: bytes, name: str) -> Image:
    """Strictly decoded; ValueError at the first thing that is not as it should be."""
    _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    if colorspace in ("CMYK", "YCCK"):
        raise FrameError(f"{name}: expected a colour JPEG, got {colorspace} (convert it to RGB)")
    if colorspace == "Gray":
        return np.asarray(simplejpeg.decode_jpeg(data, "GRAY", strict=True))[:, :, 0]
    return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True))


def _odd_but_whole(data: bytes, name: str, problem: str) -> Image | None:
    """Pixels of a file that is whole but for its end; None if it is not."""
    end = _end_of_pixel_data(data)
    if end is None:
        return None
    for bare in _without_padding(data[:end], problem):
        try:
            return _pixels(bare + _END, name)
        except ValueError:
            continue
    return _with_one_byte_of_padding(data[:end], name)


def _without_padding(data: bytes, problem: str) -> Iterator[bytes]:
    """What the pixel data may be, before padding.

    Without padding it is all of it. Padding of one repeated byte goes entirely: if any were taken for pixels,
    a file that was cut and filled up with zeros would pass for whole.
    """
    yield data
    yield _without_run(data)
    found = _EXTRANEOUS.search(problem)
    extra = int(found[1]) if found else 0
    if extra <= _MIXED_PADDING and len(set(data[len(data) - extra :])) > 1:
        yield data[: len(data) - extra]


def _without_run(data: bytes) -> bytes:
    bare = data.rstrip(data[-1:])
    stuffed = bare.endswith(b"\xff") and data[len(bare) :].startswith(b"\0")  # the data's own last byte
    return bare + b"\0" if stuffed else bare


def _with_one_byte_of_padding(data: bytes, name: str) -> Image | None:
    """Pixels if the byte of the padding is also the last one of the data.

    Encoders fill their last byte with ones. So the byte's last zero has to count for the pixels: where it
    does not, it is padding, and something was cut.
    """
    byte = data[-1]
    last_zero = ~byte & (byte + 1)
    if last_zero > 0x80:
        return None
    bare = _without_run(data)
    try:
        pixels = _pixels(bare + data[-1:] + _END, name)
    except ValueError:
        return None
    try:
        counts = not np.array_equal(_pixels(bare + bytes([byte | last_zero]) + _END, name), pixels)
    except ValueError:
        counts = True
    return pixels if counts else None


def _end_of_pixel_data(data: bytes) -> int | None:
    """Position right behind the last scan; None if scans are missing or the structure is not understood."""
    position, components = 2, 0
    done: dict[int, list[int]] = {}
    while True:
        while data[position : position + 2] == b"\xff\xff":
            position += 1
        if len(data) < position + 4 or data[position] != 0xFF:
            return None
        code, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        position += 2 if code in _STANDALONE else 2 + length
        if code in _FRAMES:
            components = body[5] if len(body) > 5 else 0
        elif code == _SCAN:
            _note_scan(body, done)
            marker = _MARKER.search(data, position)
            position = marker.start() if marker else len(data)
            if marker is None or marker[1][0] == _END_CODE:
                break
    complete = sum(not any(planes) for planes in done.values()) == components
    return position if components and complete else None


def _note_scan(body: bytes, done: dict[int, list[int]]) -> None:
    """Note what a scan brings: for every component, the lowest bits that its 64 coefficients still lack."""
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        return
    first, last, approximation = body[1 + 2 * count : 4 + 2 * count]
    for component in body[1 : 1 + 2 * count : 2]:
        lacking = done.setdefault(component, [255] * 64)
        for coefficient in range(first, min(last, 63) + 1):
            lacking[coefficient] = approximation & 15

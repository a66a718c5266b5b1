"""What only a container tells: whether a video file is cut, and which of its frames hold no data.

The demuxers stop without a word at the end of a truncated AVI, MP4 or Matroska file, so a recording that was
cut between two packets would pass for a shorter video. The three containers write their own length at the
top level; reading it takes a few bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spotlabel.pipeline.inputs import open_input

_RIFF_HEADER = 8
_EBML = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")


def missing_bytes(path: Path) -> int:
    """Bytes that the container announces beyond the end of the file.

    Args:
        path: a video file of any format.

    Returns:
        0 for a whole file, for a format other than AVI (RIFF), MP4/MOV and Matroska/WebM, and for a recording
        that never wrote its length.

    Raises:
        OSError: the file cannot be read.
    """
    actual = path.stat().st_size
    with open_input(path) as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            announced = _riff_end(file, actual)
        elif head[4:8] in _MP4_FIRST_BOXES:
            announced = _mp4_end(file, actual)
        elif head[:4] == _EBML:
            announced = _matroska_end(file)
        else:
            announced = 0
    return max(announced - actual, 0)


def _riff_end(file: BinaryIO, actual: int) -> int:
    """End of the last RIFF chunk; files over 1 GB are a chain of them (OpenDML)."""
    end = 0
    while end + 8 <= actual:
        file.seek(end)
        header = file.read(8)
        size = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or size == 0:
            break
        end += 8 + size
        if end < actual:
            end += size % 2
    return end


def _mp4_end(file: BinaryIO, actual: int) -> int:
    """End of the last top-level box (ISO 14496-12, 4.2)."""
    end = 0
    while end + 8 <= actual:
        file.seek(end)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8 or not header[4:8].isascii():  # 0 means "to the end of the file"; else not a box
            break
        end += size
    return end


def _matroska_end(file: BinaryIO) -> int:
    """End of the segment, 0 if its size is unknown (RFC 8794, 4 and 6)."""
    file.seek(len(_EBML))
    header = _ebml_size(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _MATROSKA_SEGMENT:
        return 0
    size = _ebml_size(file)
    return 0 if size is None else file.tell() + size


def _ebml_size(file: BinaryIO) -> int | None:
    """Variable-length size at the file's position; None if unknown (all ones) or malformed."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    bits = 7 * (extra + 1)
    value = int.from_bytes(first + file.read(extra), "big") & ((1 << bits) - 1)
    return None if value == (1 << bits) - 1 else value


def null_frames(path: Path, stream: int, count: int) -> list[int]:
    """Places of an AVI file's frames that hold no data, which means "as before"; demuxers pass over them.

    Args:
        path: an AVI file.
        stream: index of its video stream.
        count: number of frames that the stream's header announces.

    Returns:
        Ranks of the empty chunks among all chunks of the stream, from 0, in rising order. None of them if
        the header does not count them.
    """
    names = (b"%02ddc" % stream, b"%02ddb" % stream)
    with open_input(path) as file:
        sizes = [size for name, size in _avi_chunks(file, path.stat().st_size) if name in names]
    return [rank for rank, size in enumerate(sizes) if size == 0] if len(sizes) == count else []


def _avi_chunks(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int]]:
    """Name and size of every chunk; RIFF parts, the list of frames and its sub-lists are entered."""
    position = 0
    while position + _RIFF_HEADER <= end:
        file.seek(position)
        header = file.read(_RIFF_HEADER + 4)
        name, size, kind = header[:4], int.from_bytes(header[4:8], "little"), header[8:]
        if name == b"RIFF" or (name == b"LIST" and kind in (b"movi", b"rec ")):
            position += _RIFF_HEADER + 4
            continue
        yield name, size
        position += _RIFF_HEADER + size + size % 2

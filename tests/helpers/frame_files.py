"""Small image and video files for the tests of frame reading."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

Image = npt.NDArray[np.uint8]


def noise(seed: int, height: int = 24, width: int = 32, channels: int = 3) -> Image:
    """Blurred noise, so that JPEG has something to compress."""
    raw = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return cv2.GaussianBlur(raw, (3, 3), 0).reshape(height, width, channels)


def encode(image: npt.NDArray[np.generic], suffix: str) -> bytes:
    """Bytes of an image file in OpenCV's encoding."""
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


def jpeg(image: Image) -> bytes:
    """Bytes of a colour JPEG file."""
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=95, colorspace="BGR"))


def cmyk_jpeg() -> bytes:
    """Bytes of a four-channel JPEG file."""
    return bytes(simplejpeg.encode_jpeg(noise(0, channels=4), colorspace="CMYK"))


def png(colour_type: int, bits: int, rows: list[bytes], width: int) -> bytes:
    """Bytes of a PNG file of a colour type that OpenCV does not write (0 grey, 4 grey with alpha)."""
    head = struct.pack(">IIBBBBB", width, len(rows), bits, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_video(
    path: Path,
    frames: list[Image],
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    *,
    aspect: Fraction | None = None,
) -> Path:
    """Write BGR frames to a video file; mpeg4 gets a key frame every 8 frames.

    ``aspect`` is the width of a pixel divided by its height.
    """
    with av.open(str(path), "w", options=dict(options or {})) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = 8
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def write_packets(path: Path, packets: list[bytes], codec: str, size: tuple[int, int]) -> Path:
    """Write frames that are encoded already; ``size`` is height and width."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p"
        for place, body in enumerate(packets):
            packet = av.Packet(body)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, place, place, Fraction(1, 25)
            packet.is_keyframe = True
            container.mux(packet)
    return path


def sliding(count: int, height: int = 48, width: int = 64) -> list[Image]:
    """A textured scene that slides to the left by two pixels a frame."""
    scene = noise(7, height, width + 2 * count)
    return [np.ascontiguousarray(scene[:, 2 * i : 2 * i + width]) for i in range(count)]


def exif(orientation: int, order: str = ">") -> bytes:
    """An EXIF structure (a TIFF head with one directory) that holds an orientation tag alone."""
    name = b"MM\0*" if order == ">" else b"II*\0"
    return name + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def tagged_jpeg(data: bytes, orientation: int, order: str = ">") -> bytes:
    """A JPEG file with an EXIF segment behind its start marker."""
    body = b"Exif\0\0" + exif(orientation, order)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def tagged_png(data: bytes, orientation: int) -> bytes:
    """A PNG file with an ``eXIf`` chunk before its end."""
    return data[:-12] + _chunk(b"eXIf", exif(orientation)) + data[-12:]


def tagged_webp(data: bytes, orientation: int) -> bytes:
    """A WebP file with an ``EXIF`` chunk at its end (OpenCV writes the simple form, which has no flags)."""
    body = exif(orientation, "<")
    chunk = b"EXIF" + struct.pack("<I", len(body)) + body
    return data[:4] + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:] + chunk


def tagged_tiff(data: bytes, orientation: int) -> bytes:
    """A little-endian TIFF file with an orientation tag in a new directory at its end."""
    (old,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, old)
    entries = [data[old + 2 + 12 * i : old + 14 + 12 * i] for i in range(count)]
    entries.append(struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    body = data + b"\0" * (len(data) % 2)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + directory


MATRICES = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}
"""a, b, c, d of the matrix of an MP4 track header, for the orientations as EXIF numbers them."""


def set_matrix(path: Path, matrix: tuple[float, float, float, float]) -> Path:
    """Write a display matrix into the track header of an MP4 or MOV file (ISO 14496-12, 8.3.2, version 0)."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (round(value * 65536) for value in matrix)
    struct.pack_into(">9i", data, data.index(b"tkhd") + 4 + 40, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def empty_avi_frames(path: Path, places: set[int]) -> Path:
    """Take the data out of some frames of an AVI file with one stream, and write its index anew."""
    data = path.read_bytes()
    movi = data.index(b"movi")
    position, end = movi + 4, movi + struct.unpack_from("<I", data, movi - 4)[0]
    chunks, index, count = b"", b"", 0
    while position < end:
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        body = b"" if count in places else data[position + 8 : position + 8 + size]
        index += name + struct.pack("<III", 16, 4 + len(chunks), len(body))
        chunks += name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        position, count = position + 8 + size + size % 2, count + 1
    body = struct.pack("<I", len(chunks) + 4) + b"movi" + chunks
    whole = data[: movi - 4] + body + b"idx1" + struct.pack("<I", len(index)) + index
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:])
    return path

"""Small image and video files for the tests of frame reading."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
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
) -> Path:
    """Write BGR frames to a video file; mpeg4 gets a key frame every 8 frames."""
    with av.open(str(path), "w", options=dict(options or {})) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = 8
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def sliding(count: int, height: int = 48, width: int = 64) -> list[Image]:
    """A textured scene that slides to the left by two pixels a frame."""
    scene = noise(7, height, width + 2 * count)
    return [np.ascontiguousarray(scene[:, 2 * i : 2 * i + width]) for i in range(count)]

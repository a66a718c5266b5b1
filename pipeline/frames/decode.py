"""From the bytes of an image file to a frame, whole or not at all.

OpenCV fills a truncated JPEG up with grey and only mutters on standard error; libjpeg-turbo in strict mode
(through simplejpeg) raises, and its pixels equal OpenCV's.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import simplejpeg

from pipeline.errors import FrameError
from pipeline.sequence import Image

DECODER_VERSION = 1
"""Rises when the same bytes would give other pixels or another verdict."""

_JPEG_MAGIC = b"\xff\xd8"
_OPAQUE = 255


def decode_image(data: bytes, grey: Literal["refuse", "convert"] = "refuse") -> Image:
    """Decode a JPEG, PNG, BMP, TIFF... of 8 bits per channel.

    Args:
        data: the file's bytes.
        grey: what to do with a one-channel image: refuse it, or repeat it into three channels.

    Returns:
        uint8 (H, W, 3) BGR, C-contiguous.

    Raises:
        FrameError: empty, truncated, corrupt, or of another pixel format (grey unless converted, CMYK,
            16 bits, with transparency).
    """
    if not data:
        raise FrameError("empty file (0 bytes)")
    decoded = _decode_jpeg(data) if data.startswith(_JPEG_MAGIC) else _decode_other(data)
    if decoded.dtype != np.uint8:
        raise FrameError(f"{decoded.dtype.itemsize * 8}-bit samples, expected 8-bit")
    if decoded.ndim == 2:
        if grey == "refuse":
            raise FrameError("grey image, expected colour; set frames.grey=convert if your camera is grey")
        return np.repeat(decoded[:, :, None], 3, axis=2)
    if decoded.shape[2] == 4:
        if (decoded[:, :, 3] != _OPAQUE).any():
            raise FrameError("transparent pixels (alpha channel), expected an opaque image")
        decoded = decoded[:, :, :3]
    if decoded.shape[2] != 3:
        raise FrameError(f"{decoded.shape[2]} channels, expected 3")
    return np.ascontiguousarray(decoded)


def _decode_jpeg(data: bytes) -> Image:
    """uint8 (H, W, 3) or, if grey, (H, W)."""
    try:
        _, _, space, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if space in ("CMYK", "YCCK"):
            raise FrameError(f"{space} JPEG, expected a colour JPEG (YCbCr or RGB)")
        if space == "Gray":
            return np.asarray(simplejpeg.decode_jpeg(data, "GRAY", strict=True)[:, :, 0], np.uint8)
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True), np.uint8)
    except ValueError as error:
        raise FrameError(f"JPEG that does not decode whole: {error}") from error


def _decode_other(data: bytes) -> Image:
    """Whatever OpenCV reads, unconverted; it gives None for a PNG that is cut short or fails its checksum."""
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError(f"does not decode: {error.err}") from error
    if decoded is None:
        raise FrameError("does not decode: truncated, corrupt, or no image format known here")
    return np.asarray(decoded)

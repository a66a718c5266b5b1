"""Bytes of one image file to one BGR frame, or an error: never half an image."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import simplejpeg

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.sequence import Image

DECODER_VERSION = 1
"""Changes whenever the same bytes and options would give another frame."""

_JPEG_MAGIC = b"\xff\xd8"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_COLOUR_TYPE = 25  # offset inside the file: signature, IHDR length and name, width, height, depth
_PNG_GREY_ALPHA = 4
_OPAQUE = 255


def decode_image(data: bytes, name: str, grey: Literal["refuse", "convert"]) -> Image:
    """Decode one image file.

    The format is told from the bytes, not from the name. JPEG goes through libjpeg-turbo in strict mode,
    because OpenCV returns a full-shaped image for a truncated JPEG; all other formats go through OpenCV,
    which returns nothing for damaged ones. An alpha channel that is opaque everywhere carries nothing and is
    dropped; any other is refused, since no background is known to put behind it. Orientation tags (EXIF)
    are not followed: annotations refer to pixels as they are stored.

    Args:
        data: the whole file.
        name: what to call the file in error messages.
        grey: refuse an image stored with a single grey channel, or repeat it into three.

    Returns:
        uint8 (H, W, 3), BGR.

    Raises:
        FrameError: empty, truncated or corrupt data; CMYK; more than 8 bits a channel; transparency; grey
            where it is refused.
    """
    if not data:
        raise FrameError(f"{name}: the file is empty")
    pixels = _decode_jpeg(data, name) if data.startswith(_JPEG_MAGIC) else _decode_other(data, name)
    if pixels.ndim == 2:
        return _from_grey(pixels, name, grey)
    return np.ascontiguousarray(pixels)


def _decode_jpeg(data: bytes, name: str) -> Image:
    """Pixels (H, W, 3), or (H, W) for a grey JPEG."""
    try:
        _, _, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        if colorspace in ("CMYK", "YCCK"):
            raise FrameError(f"{name}: expected a colour JPEG, got {colorspace} (convert it to RGB)")
        if colorspace == "Gray":
            return np.asarray(simplejpeg.decode_jpeg(data, "GRAY", strict=True))[:, :, 0]
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True))
    except ValueError as error:
        raise FrameError(f"{name}: truncated or corrupt JPEG: {error}") from error


def _decode_other(data: bytes, name: str) -> Image:
    """Pixels (H, W, 3), or (H, W) for an image stored as grey."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError(f"{name}: not a readable image: {str(error).strip()}") from error
    if pixels is None:
        raise FrameError(f"{name}: not an image, or truncated, or corrupt ({len(data)} bytes)")
    if pixels.dtype != np.uint8:
        raise FrameError(f"{name}: expected 8 bits a channel, got {pixels.dtype} (convert it to 8 bits)")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _drop_opaque_alpha(pixels, name)
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise FrameError(f"{name}: expected 3 colour channels, got shape {pixels.shape}")
    # OpenCV repeats grey with alpha into BGRA, so only the file tells that it is grey.
    stored_grey = data.startswith(_PNG_MAGIC) and data[_PNG_COLOUR_TYPE] == _PNG_GREY_ALPHA
    return np.asarray(pixels[:, :, 0] if stored_grey else pixels)


def _drop_opaque_alpha(pixels: Image, name: str) -> Image:
    if (pixels[:, :, 3] != _OPAQUE).any():
        raise FrameError(f"{name}: has a transparent alpha channel, expected opaque BGR (flatten the image)")
    return pixels[:, :, :3]


def _from_grey(pixels: Image, name: str, grey: Literal["refuse", "convert"]) -> Image:
    if grey == "refuse":
        raise FrameError(f"{name}: expected 3 colour channels, got a grey image (or set frames.grey=convert)")
    return np.repeat(pixels[:, :, np.newaxis], 3, axis=2)

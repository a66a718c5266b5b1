"""Bytes of one image file to one BGR frame, or an error: never half an image."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames.exif import is_tiff, orientation_tag
from spotlabel.pipeline.frames.jpeg import MAGIC as JPEG_MAGIC
from spotlabel.pipeline.frames.jpeg import decode_jpeg
from spotlabel.pipeline.frames.limits import check_header
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.orientation import AS_STORED, TURNS, as_stored, upright
from spotlabel.pipeline.sequence import Image

DECODER_VERSION = 1
"""Changes whenever the same bytes and options would give another frame."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_COLOUR_TYPE = 25  # offset inside the file: signature, IHDR length and name, width, height, depth
_PNG_GREY_ALPHA = 4
_OPAQUE = 255


@dataclass(frozen=True)
class Decoded:
    """One decoded image.

    Attributes:
        image: uint8 (H, W, 3), BGR, as asked for: upright or as stored.
        tag: its orientation tag as it stands in the file, 1 if there is none.
        stored: height and width as stored.
        oddity: what is odd about a file that could be used all the same; empty if nothing is.
    """

    image: Image
    tag: int
    stored: tuple[int, int]
    oddity: str = ""

    @property
    def orientation(self) -> int:
        """How the stored picture is to be seen, 1 to 8; an invalid tag counts as 1."""
        return valid(self.tag)


def decode_image(data: bytes, name: str, grey: Literal["refuse", "convert"]) -> Image:
    """Decode one image file, upright; see :func:`decode` for what is odd about it, which is not told here."""
    return decode(data, name, FrameOptions(grey=grey)).image


def decode(data: bytes, name: str, options: FrameOptions) -> Decoded:
    """Decode one image file.

    The format is told from the bytes, not from the name. JPEG goes through libjpeg-turbo in strict mode,
    because OpenCV returns a full-shaped image for a truncated JPEG; all other formats go through OpenCV,
    which returns nothing for damaged ones. An alpha channel that is opaque everywhere carries nothing and is
    dropped; any other is refused, since no background is known to put behind it.

    Args:
        data: the whole file.
        name: what to call the file in error messages.
        options: which way the picture is turned, and what becomes of grey images and of odd JPEG files.

    Raises:
        FrameError: empty, truncated or corrupt data; CMYK; more than 8 bits a channel; transparency; grey
            where it is refused; more pixels than :data:`spotlabel.pipeline.frames.limits.MAX_PIXELS`.
    """
    if not data:
        raise FrameError(f"{name}: the file is empty")
    check_header(data, name)
    pixels, oddity = (
        decode_jpeg(data, name, options.odd_ends) if data.startswith(JPEG_MAGIC)
        else (_decode_other(data, name), "")
    )  # fmt: skip
    if pixels.ndim == 2:
        pixels = _from_grey(pixels, name, options.grey)
    file = io.BytesIO(data)
    found = orientation_tag(file)
    tag = AS_STORED if found is None else found
    if is_tiff(file):  # OpenCV always turns these upright
        pixels = as_stored(pixels, valid(tag))
    image = upright(pixels, valid(tag)) if options.orientation == "upright" else pixels
    return Decoded(np.ascontiguousarray(image), tag, (pixels.shape[0], pixels.shape[1]), oddity)


def valid(tag: int) -> int:
    """The orientation, 1 to 8, that a tag stands for; what is none of these is as stored."""
    return tag if tag in TURNS else AS_STORED


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

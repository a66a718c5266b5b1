"""Bytes to frame: exact, or refused with a reason (row R12 of the promises under faults)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames import decode_image
from tests.helpers.frame_files import cmyk_jpeg, encode, jpeg, noise, png

IMAGE = noise(1)
JPEG = jpeg(IMAGE)
PNG = encode(IMAGE, ".png")
GREY_ALPHA = png(4, 8, [bytes([9, 255, 200, 255]), bytes([0, 255, 77, 255])], width=2)


def test_jpeg_pixels_equal_opencv() -> None:
    expected = cv2.imdecode(np.frombuffer(JPEG, np.uint8), cv2.IMREAD_COLOR)
    decoded = decode_image(JPEG, "a.jpg", "refuse")
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_formats_are_exact(suffix: str) -> None:
    np.testing.assert_array_equal(decode_image(encode(IMAGE, suffix), "a", "refuse"), IMAGE)


def test_format_is_told_from_bytes_not_from_name() -> None:
    np.testing.assert_array_equal(decode_image(PNG, "misnamed.jpg", "refuse"), IMAGE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (JPEG[:2], "truncated or corrupt JPEG"),
        (JPEG[: len(JPEG) // 2], "truncated or corrupt JPEG"),
        (JPEG[:-3], "truncated or corrupt JPEG"),
        (PNG[: len(PNG) // 2], "truncated, or corrupt"),
        (b"not an image at all", "not an image"),
        (cmyk_jpeg(), "CMYK|YCCK"),
        (encode(IMAGE.astype(np.uint16) * 257, ".png"), "8 bits a channel, got uint16"),
        (encode(IMAGE.astype(np.float32), ".tiff"), "8 bits a channel, got float32"),
        (encode(IMAGE[:, :, 0], ".jpg"), "grey image"),
        (encode(IMAGE[:, :, 0], ".png"), "grey image"),
        (png(0, 1, [b"\xaa", b"\x55"], width=8), "grey image"),
        (GREY_ALPHA, "grey image"),
        (encode(np.dstack([IMAGE, IMAGE[:, :, 0]]), ".png"), "transparent"),
    ],
)
def test_unusable_images_are_refused_with_name_and_reason(data: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=rf"^some/in000007\.jpg: .*({reason})"):
        decode_image(data, "some/in000007.jpg", "refuse")


@settings(max_examples=60)
@given(st.data())
def test_no_proper_prefix_of_the_pixels_is_an_image(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([JPEG[:-2], PNG, encode(IMAGE, ".bmp")]))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FrameError):
        decode_image(whole[:cut], "cut", "refuse")


def test_png_with_a_flipped_byte_is_refused() -> None:
    for position in range(45, len(PNG) - 16, 97):  # inside the compressed pixels
        damaged = bytearray(PNG)
        damaged[position] ^= 0xFF
        with pytest.raises(FrameError):
            decode_image(bytes(damaged), "damaged.png", "refuse")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_grey_is_repeated_on_request(suffix: str) -> None:
    data = encode(IMAGE[:, :, 0], suffix)
    decoded = decode_image(data, "a", "convert")
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(decoded, np.dstack([expected] * 3))


def test_grey_with_opaque_alpha_is_grey() -> None:
    decoded = decode_image(GREY_ALPHA, "a", "convert")
    np.testing.assert_array_equal(decoded[:, :, 1], [[9, 200], [0, 77]])


def test_convert_leaves_colour_alone() -> None:
    np.testing.assert_array_equal(decode_image(PNG, "a", "convert"), IMAGE)


def test_opaque_alpha_is_dropped() -> None:
    opaque = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(decode_image(encode(opaque, ".png"), "a", "refuse"), IMAGE)

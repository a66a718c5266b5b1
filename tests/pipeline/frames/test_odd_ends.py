"""JPEG files that end oddly: whole ones are used and told, cut ones are not, whatever stands at their end."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.decode import Decoded, decode
from spotlabel.pipeline.frames.options import FrameOptions
from tests.helpers.frame_files import noise, tagged_jpeg

END = b"\xff\xd9"
ACCEPT, FAIL = FrameOptions(grey="convert"), FrameOptions(grey="convert", odd_ends="fail")


def jpeg(seed: int = 0, *options: int, grey: bool = False) -> bytes:
    image = noise(seed, 40, 56)
    _, data = cv2.imencode(".jpg", image[:, :, 0] if grey else image, list(options))
    return data.tobytes()


KINDS = {
    "baseline": jpeg(1),
    "optimised": jpeg(2, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "progressive": jpeg(3, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": jpeg(4, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "grey": jpeg(5, grey=True),
    "fine": jpeg(6, cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111),
    "tagged": tagged_jpeg(jpeg(7), 3),
}
WHOLE = {name: decode(data, name, ACCEPT) for name, data in KINDS.items()}


def assert_whole(found: Decoded, name: str) -> None:
    np.testing.assert_array_equal(found.image, WHOLE[name].image)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"\xff",
        bytes(40),
        *(
            padding + END
            for padding in (bytes(7), bytes(513), b"\xff" * 9, b"\x55" * 64, bytes(range(1, 10)))
        ),
    ],
)
def test_what_is_whole_is_used(name: str, end: bytes) -> None:
    assert WHOLE[name].oddity == ""
    assert_whole(decode(KINDS[name][:-2] + end, name, ACCEPT), name)


def test_bytes_behind_the_end_marker_are_nobodys_business() -> None:
    found = decode(KINDS["baseline"] + b"\0\0more" + KINDS["grey"], "a", FAIL)
    assert_whole(found, "baseline")
    assert found.oddity == ""


@pytest.mark.parametrize("name", KINDS)
def test_odd_ends_are_told_or_refused(name: str) -> None:
    for odd in (KINDS[name][:-2], KINDS[name][:-2] + bytes(40) + END):
        assert decode(odd, name, ACCEPT).oddity == "no end marker, or padding before it"
        with pytest.raises(FrameError, match=rf"{name}: the JPEG ends oddly, though all of it .*=accept"):
            decode(odd, name, FAIL)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("end", [b"", END, b"\xff"])
def test_what_was_cut_is_refused_wherever(name: str, end: bytes) -> None:
    pixels = KINDS[name][:-2]
    for lost in [1, 2, 3, 5, *range(8, len(pixels), 61)]:
        try:
            found = decode(pixels[: len(pixels) - lost] + end, name, ACCEPT)
        except FrameError:
            continue
        # A last byte may hold nothing but filling bits.
        assert lost == 1
        assert_whole(found, name)


@pytest.mark.parametrize("name", ["baseline", "optimised", "restarts", "grey", "fine"])
@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x55"])
def test_a_cut_file_filled_up_to_its_size_is_no_padded_one(name: str, fill: bytes) -> None:
    """What the filling makes of the pixels may be without a fault for the decoder, and is still not them."""
    pixels = KINDS[name][:-2]
    for lost in range(40, len(pixels) // 2, 37):
        with pytest.raises(FrameError):
            decode(pixels[: len(pixels) - lost] + fill * (lost + 600) + END, name, ACCEPT)


def test_missing_scans_of_a_progressive_file_are_missing_pixels() -> None:
    data = KINDS["progressive"]
    scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 3
    tables = data.rindex(b"\xff\xc4", 0, scans[-1])
    for end in (scans[-1], tables):
        with pytest.raises(FrameError, match="truncated or corrupt"):
            decode(data[:end], "a", ACCEPT)


@settings(max_examples=80)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_any_prefix_is_the_picture_or_an_error(name: str, data: st.DataObject) -> None:
    pixels = KINDS[name][:-2]
    cut = data.draw(st.integers(0, len(pixels)))
    try:
        found = decode(pixels[:cut], name, ACCEPT)
    except FrameError:
        assert cut < len(pixels)
    else:
        assert cut >= len(pixels) - 1
        assert_whole(found, name)


def test_padding_that_looks_like_the_last_byte_of_the_data() -> None:
    last = set()
    for seed in range(120):
        _, encoded = cv2.imencode(".jpg", noise(seed, 16, 16), [cv2.IMWRITE_JPEG_QUALITY, 40 + seed % 30])
        data = encoded.tobytes()
        padded = data[:-2] + data[-3:-2] * 60 + END
        np.testing.assert_array_equal(decode(padded, "a", ACCEPT).image, decode(data, "a", FAIL).image)
        last.add(data[-3])
    assert len(last) > 20


def test_a_folder_tells_once_and_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {number: tmp_path / f"{number:06d}.jpg" for number in range(1, 6)}
    for number, path in files.items():
        path.write_bytes(KINDS["baseline"][:-2] if number in (2, 3, 5) else KINDS["baseline"])
    frames = ImageFolder(files, ACCEPT)
    with caplog.at_level(logging.WARNING, "spotlabel"):
        for image in [*frames.stream(), *frames.stream()]:
            np.testing.assert_array_equal(image, WHOLE["baseline"].image)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/000002.jpg and 2 more: no end marker, or padding before it, but every pixel is there; "
        "used (frames.odd_ends=fail refuses it)"
    ]
    states = [isinstance(item, FrameError) for item in ImageFolder(files, FAIL).stream()]
    assert states == [False, True, True, False, True]


def test_the_setting_counts_only_where_it_is_set() -> None:
    files = {1: Path("000001.jpg")}
    assert "odd_ends" not in ImageFolder(files, ACCEPT).identity()
    assert ImageFolder(files, FAIL).identity()["odd_ends"] == "fail"

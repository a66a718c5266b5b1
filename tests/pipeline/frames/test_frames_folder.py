"""Numbered image files as a frame source."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.errors import DatasetError, FrameError, MissingFrameError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from tests.helpers.frame_files import encode, noise

OPTIONS = FrameOptions()
PATTERN = r"in(\d+)\.png"


def folder_of(folder: Path, numbers: list[int]) -> ImageFolder:
    for number in numbers:
        (folder / f"in{number:06d}.png").write_bytes(encode(noise(number), ".png"))
    return ImageFolder(scan_images(folder, PATTERN), OPTIONS)


def test_scan_takes_matching_names_in_order_of_number(tmp_path: Path) -> None:
    for name in ("in10.png", "in9.png", "in000011.png", "in12.jpg", "xin13.png", "ROI.bmp"):
        (tmp_path / name).write_bytes(b"")
    found = scan_images(tmp_path, PATTERN)
    assert [(number, path.name) for number, path in found.items()] == [
        (9, "in9.png"),
        (10, "in10.png"),
        (11, "in000011.png"),
    ]


def test_scan_prefers_a_group_called_number(tmp_path: Path) -> None:
    (tmp_path / "cam3_0042.png").write_bytes(b"")
    assert list(scan_images(tmp_path, r"cam(\d)_(?P<number>\d+)\.png")) == [42]


def test_scan_refuses_two_images_of_one_number(tmp_path: Path) -> None:
    for name in ("in1.png", "in000001.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"frame number 1: in000001\.png and in1\.png"):
        scan_images(tmp_path, PATTERN)


def test_scan_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no image found.*in\(\\d\+\)"):
        scan_images(tmp_path, PATTERN)
    with pytest.raises(DatasetError, match="absent"):
        scan_images(tmp_path / "absent", PATTERN)


def test_frames_are_exact_and_in_order(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [1, 2, 3])
    assert (len(source), source.step, source.size) == (3, 1, (24, 32))
    assert source.numbers.tolist() == [1, 2, 3]
    assert source.numbers.dtype == np.int64
    for index, image in enumerate(source.stream()):
        np.testing.assert_array_equal(image, noise(index + 1))
        np.testing.assert_array_equal(source.read(index), noise(index + 1))


@pytest.mark.parametrize(
    ("existing", "numbers", "step"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30], 10),
        ([5, 15, 35], [5, 15, 25, 35], 10),
        ([1, 2, 4], [1, 2, 3, 4], 1),
        ([7], [7], 1),
        ([4, 10], [4, 10], 6),
    ],
)
def test_step_is_the_common_divisor(
    tmp_path: Path, existing: list[int], numbers: list[int], step: int
) -> None:
    source = folder_of(tmp_path, existing)
    assert source.numbers.tolist() == numbers
    assert source.step == step
    assert len(source.files()) == len(existing)


def test_missing_number_has_a_position_and_an_error(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [1, 2, 4])
    with pytest.raises(
        MissingFrameError, match=r"frame 3 is missing \(others are named like in000001\.png\)"
    ):
        source.read(2)
    streamed = list(source.stream())
    assert [isinstance(item, FrameError) for item in streamed] == [False, False, True, False]
    np.testing.assert_array_equal(streamed[3], noise(4))
    first, error = source.stream(every=2)
    assert isinstance(error, MissingFrameError)
    np.testing.assert_array_equal(first, noise(1))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (encode(noise(2), ".png")[:300], "truncated"),
        (encode(noise(2, 24, 30), ".png"), "expected height x width 24 x 32.*got 24 x 30"),
        (encode(noise(2)[:, :, 0], ".png"), "grey"),
    ],
)
def test_unusable_frame_is_an_error_in_its_place(tmp_path: Path, data: bytes, reason: str) -> None:
    source = folder_of(tmp_path, [1, 2, 3])
    (tmp_path / "in000002.png").write_bytes(data)
    error = list(source.stream())[1]
    assert isinstance(error, FrameError)
    assert not isinstance(error, MissingFrameError)
    with pytest.raises(FrameError, match=rf"in000002\.png: .*{reason}"):
        source.read(1)
    np.testing.assert_array_equal(source.read(2), noise(3))


def test_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [1, 2])
    (tmp_path / "in000002.png").unlink()
    with pytest.raises(FrameError, match=r"in000002\.png: cannot be read: No such file"):
        source.read(1)


def test_size_is_that_of_the_first_readable_frame(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [1, 2])
    (tmp_path / "in000001.png").write_bytes(b"")
    assert source.size == (24, 32)


def test_nothing_readable_is_told_with_the_first_reason(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [1, 2])
    for path in source.files():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"none of 2 images.*in000001\.png: the file is empty"):
        _ = source.size


def test_grey_folder_is_converted_on_request(tmp_path: Path) -> None:
    (tmp_path / "in000001.png").write_bytes(encode(noise(1)[:, :, 0], ".png"))
    source = ImageFolder(scan_images(tmp_path, PATTERN), FrameOptions(grey="convert"))
    np.testing.assert_array_equal(source.read(0)[:, :, 2], noise(1)[:, :, 0])


def test_identity_tells_numbering_and_no_path(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [0, 10, 30])
    text = json.dumps(source.identity())
    assert str(tmp_path) not in text
    assert json.loads(text) == {
        "source": "images",
        "first": 0,
        "last": 30,
        "step": 10,
        "missing": [20],
        "grey": "refuse",
        "decoder": 1,
    }


def test_positions_outside_are_index_errors(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [1, 2])
    for index in (-1, 2):
        with pytest.raises(IndexError):
            source.read(index)


def test_building_reads_no_pixel_and_survives_pickling(tmp_path: Path) -> None:
    files = {1: tmp_path / "in1.png", 2: tmp_path / "in2.png"}  # not there yet
    source = pickle.loads(pickle.dumps(ImageFolder(files, OPTIONS)))
    for number, path in files.items():
        path.write_bytes(encode(noise(number), ".png"))
    np.testing.assert_array_equal(source.read(1), noise(2))


def test_absurd_numbering_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    files = {n: tmp_path / f"in{n}.png" for n in (1, 2, 20260101120000)}
    with pytest.raises(DatasetError, match=r"in20260101120000\.png: .*from 1 to 20260101120000"):
        ImageFolder(files, OPTIONS)
    with pytest.raises(DatasetError, match="at least one"):
        ImageFolder({}, OPTIONS)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "pattern", "numbers", "size"),
    [
        ("cdnet/baseline/highway/input", r"in(\d+)\.jpg", range(1, 1701), (240, 320)),
        ("cdnet/baseline/office/input", r"in(\d+)\.jpg", range(1, 2051), (240, 360)),
        ("sbi/HighwayI/input", r"in(\d+)\.png", range(440), (240, 320)),
        ("davis/JPEGImages/480p/car-shadow", r"(\d+)\.jpg", range(40), (480, 854)),
    ],
)
def test_real_folders(
    shared_data: Path, folder: str, pattern: str, numbers: range, size: tuple[int, int]
) -> None:
    source = ImageFolder(scan_images(shared_data / folder, pattern), OPTIONS)
    assert source.numbers.tolist() == list(numbers)
    assert (source.size, source.step) == (size, 1)
    assert source.identity()["missing"] == []
    assert source.read(len(source) // 2).shape == (*size, 3)

"""DAVIS 2016: listing and boxes from the object's mask."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets import davis
from spotlabel.pipeline.datasets.cdnet_truth import evaluated_frames
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Camera, Sequence
from tests.helpers.frame_files import encode, jpeg, noise


def mask(left: int, value: int = 255) -> np.ndarray:
    pixels = np.zeros((24, 32), np.uint8)
    pixels[6:14, left : left + 10] = value
    return pixels


def write_sequence(root: Path, name: str, masks: list[np.ndarray], resolution: str = "480p") -> None:
    images = root / "JPEGImages" / resolution / name
    annotations = root / "Annotations" / resolution / name
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    for number, pixels in enumerate(masks):
        (images / f"{number:05d}.jpg").write_bytes(jpeg(noise(number)))
        (annotations / f"{number:05d}.png").write_bytes(encode(pixels, ".png"))


def read(root: Path, **options: object) -> list[Sequence]:
    return davis.READER.sequences(root, davis.DavisOptions(**options), FrameOptions())


def test_sequences_and_boxes(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car-2", [mask(4), mask(6)])
    write_sequence(tmp_path, "car-10", [mask(4, 128), mask(4, 0)])
    first, second = read(tmp_path)
    assert (first.name, second.name) == ("car-2", "car-10")
    assert (first.camera, first.reader, first.derived_boxes) == (Camera.MOVING, "davis 1", True)
    assert [path.name for path in first.annotation_files] == ["00000.png", "00001.png"]
    boxes = first.load().boxes
    assert boxes.xyxy.tolist() == [[2, 4, 16, 16], [4, 4, 18, 16]]
    assert boxes.offsets.tolist() == [0, 1, 2]
    assert boxes.flags.tolist() == [BoxFlag.DERIVED] * 2
    annotations = second.load()
    assert annotations.boxes.offsets.tolist() == [0, 1, 1]  # an object that is gone, not a missing truth
    assert len(annotations.regions.xyxy) == 0


def test_object_in_two_parts_has_two_boxes(tmp_path: Path) -> None:
    write_sequence(tmp_path, "hidden", [mask(2) | mask(20)])
    (sequence,) = read(tmp_path)
    assert sequence.load().boxes.xyxy.tolist() == [[0, 4, 14, 16], [18, 4, 32, 16]]


def test_truth_is_the_raw_mask(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car", [mask(4), mask(6, 200)])
    (sequence,) = pickle.loads(pickle.dumps(read(tmp_path)))
    assert sequence.truth is not None
    np.testing.assert_array_equal(sequence.truth(1), mask(6, 200))


def test_other_resolution(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car", [mask(4)], resolution="1080p")
    assert len(read(tmp_path, resolution="1080p")) == 1
    with pytest.raises(DatasetError, match="480p: expected a folder"):
        read(tmp_path)


def test_object_numbers_are_not_read_as_an_empty_mask(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car", [mask(4, 2)])
    with pytest.raises(DatasetError, match=r"00000\.png: expected the object above 127, got values up to 2"):
        read(tmp_path)[0].load()


def test_colours_of_object_numbers_are_refused(tmp_path: Path) -> None:
    red = np.dstack([mask(4, 0), mask(4, 0), mask(4, 128)])
    write_sequence(tmp_path, "car", [red])
    with pytest.raises(DatasetError, match=r"00000\.png: .*got colours"):
        read(tmp_path)[0].load()


def test_frame_without_mask_fails_at_load(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car", [mask(4), mask(6)])
    folder = tmp_path / "Annotations" / "480p" / "car"
    (folder / "00001.png").unlink()
    (sequence,) = read(tmp_path)
    assert sequence.truth is not None
    assert sequence.truth(1) is None
    with pytest.raises(DatasetError, match="mask of every frame, got none of 1"):
        sequence.load()


def test_mask_without_frame(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car", [mask(4), mask(6)])
    (tmp_path / "JPEGImages" / "480p" / "car" / "00001.jpg").unlink()
    with pytest.raises(DatasetError, match=r"00001\.png: ground truth of frame 1, which has no image"):
        read(tmp_path)[0].load()
    assert len(read(tmp_path, beyond="drop")[0].load().boxes.xyxy) == 1


def test_has_no_cdnet_evaluation(tmp_path: Path) -> None:
    write_sequence(tmp_path, "car", [mask(4)])
    with pytest.raises(DatasetError, match="car: read by davis 1"):
        next(evaluated_frames(read(tmp_path)[0]))


@pytest.mark.realdata
def test_real_facts(shared_data: Path) -> None:
    sequences = read(shared_data / "davis")
    assert [(s.name, len(s.frames)) for s in sequences] == [
        ("car-shadow", 40),
        ("drift-straight", 50),
        ("scooter-black", 43),
    ]
    shadow = sequences[0]
    assert shadow.frames.size == (480, 854)
    assert shadow.truth is not None
    boxes = shadow.load().boxes
    assert boxes.at(0).tolist() == [[311, 86, 657, 284]]
    for index in (0, 20, 39):
        pixels = shadow.truth(index)
        assert pixels is not None
        (box,) = boxes.at(index)
        x0, y0, x1, y1 = box.astype(int)
        assert (pixels[y0:y1, x0:x1] > 127).sum() > 0.99 * (pixels > 127).sum()  # but for specks

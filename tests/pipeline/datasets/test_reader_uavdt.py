"""The UAVDT reader: rows, flags, ignore regions, real files."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.uavdt import ORIGIN, READER, read_boxes, read_ignore
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera
from tests.helpers.dataset_files import STRICT, boxes_of, listed, loaded, regions_of, write_images

GT = "UAV-benchmark-MOTD_v1.0/GT"
ROWS = "1,1,2,3,10,20,1,1,1\n3,1,11,3,10,20,2,1,2\n3,2,0,0,5,5,3,4,3\n"
IGNORE = "2,1,0,0,10,10,1,-1,-1\n2,2,30,0,10,10,1,-1,-1\n"


def dataset(root, rows=ROWS, ignore=IGNORE, *, images="UAV-benchmark-M", gt=GT, kind="gt_whole"):
    name = "M0101"
    write_images(root / images / name, name="img{:06d}.jpg")
    (root / gt).mkdir(parents=True, exist_ok=True)
    (root / gt / f"{name}_{kind}.txt").write_bytes(rows.encode())
    if ignore is not None:
        (root / gt / f"{name}_gt_ignore.txt").write_bytes(ignore.encode())
    return root


def test_boxes_flags_classes_and_regions(tmp_path):
    (sequence,) = listed(READER, dataset(tmp_path)).values()
    assert sequence.camera is Camera.MOVING
    assert [p.name for p in sequence.annotation_files] == ["M0101_gt_whole.txt", "M0101_gt_ignore.txt"]
    found = sequence.load()
    assert boxes_of(found) == [[[2, 3, 12, 23]], [], [[11, 3, 21, 23], [0, 0, 5, 5]]]
    assert regions_of(found) == [[], [[0, 0, 10, 10], [30, 0, 40, 10]], []]
    assert found.class_names == ("car", "truck", "bus")
    assert found.boxes.class_id.tolist() == [0, 1, 2]
    assert found.boxes.track_id.tolist() == [1, 1, 2]
    assert found.boxes.flags.tolist() == [0, BoxFlag.TRUNCATED, BoxFlag.TRUNCATED | BoxFlag.OCCLUDED]
    assert (found.native_origin, found.clipped) == (0, 0)


def test_objects_of_the_tracking_benchmark_have_one_class(tmp_path):
    rows = "1,1,2,3,10,20,1,1,-1\n"
    found = loaded(READER, dataset(tmp_path, rows, kind="gt"), objects="gt")
    assert found.class_names == ("vehicle",)
    assert found.boxes.class_id.tolist() == [0]
    with pytest.raises(DatasetError, match="line 1: category is -1, expected 1 car, 2 truck, 3 bus"):
        loaded(READER, dataset(tmp_path, rows))


@pytest.mark.parametrize(("images", "gt"), [("UAV-benchmark-M", GT), (".", "GT"), (".", ".")])
def test_folders(tmp_path, images, gt):
    assert list(listed(READER, dataset(tmp_path, images=images, gt=gt))) == ["M0101"]


def test_missing_ignore_file_is_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "spotlabel"):
        found = loaded(READER, dataset(tmp_path, ignore=None))
    assert regions_of(found) == [[], [], []]
    assert "M0101 has no ignore regions" in caplog.text


def test_images_alone_are_left_out(tmp_path, caplog):
    write_images(dataset(tmp_path) / "UAV-benchmark-M" / "M0102", name="img{:06d}.jpg")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert list(listed(READER, tmp_path)) == ["M0101"]
    assert "images but no annotations: M0102" in caplog.text


def test_line_ends_trailing_commas_blank_lines_and_byte_order_mark(tmp_path):
    rows = "\ufeff\r\n1,1,2,3,10,20,1,1,1,\r\n\r\n 3 , 1 , 11 , 3 , 10 , 20 , 1 , 1 , 2 ,,\r\n"
    assert boxes_of(loaded(READER, dataset(tmp_path, rows))) == [[[2, 3, 12, 23]], [], [[11, 3, 21, 23]]]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1,1,2,3,10,20,1,1", "line 4: 8 columns, expected 9: frame,id,left,top,width,height,out-of-view"),
        ("1,1,2,3,10,20,1,1,1,1", "line 4: 10 columns, expected 9"),
        ("1,,2,3,10,20,1,1,1", "line 4: id is '', expected a number"),
        ("1,7,two,3,10,20,1,1,1", "line 4: left is 'two', expected a number"),
        ("1.5,7,2,3,10,20,1,1,1", "line 4: frame is 1.5, expected a whole number"),
        ("1,7,2,3,10,20,1,1,nan", "line 4: category is nan, expected a whole number"),
        ("1,1e99,2,3,10,20,1,1,1", "line 4: id is 1e+99, expected a whole number"),
        ("1,7,2,3,10,20,1,1,4", "line 4: category is 4, expected 1 car, 2 truck, 3 bus"),
        ("1,7,nan,3,10,20,1,1,1", "line 4: left is nan, expected a finite number"),
        ("1,7,2,3,-10,20,1,1,1", "line 4: width is -10, expected more than 0"),
        ("1,1,2,3,10,20,1,1,1", "line 4: track id 1 a second time in frame 1"),
        ("9,7,2,3,10,20,1,1,1", "line 4: frame 9 has no image, the images are 1 to 3"),
    ],
)
def test_bad_rows(tmp_path, row, problem):
    with pytest.raises(DatasetError) as error:
        loaded(READER, dataset(tmp_path, ROWS + row + "\n"), **STRICT)
    assert f"M0101_gt_whole.txt: {problem}" in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_rows_of_the_ignore_file(tmp_path):
    root = dataset(tmp_path, ignore="1,1,1,1,0,5,1,-1,-1\n")
    with pytest.raises(DatasetError, match=r"M0101_gt_ignore\.txt: line 1: width is 0, expected more than 0"):
        loaded(READER, root, **STRICT)


def test_binary_files_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="binary data where text was expected"):
        loaded(READER, dataset(tmp_path, "1,2\0\0"))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "whole", "kept", "ignored"),
    [
        ("M0101", 5414, 5414, 670),
        ("M0204", 3336, 3336, 598),
        ("M0205", 5458, 5219, 94),
        ("M0208", 790, 784, 265),
        ("M0403", 31403, 30304, 728),
        ("M0601", 10423, 10275, 274),
    ],
)
def test_real_files(shared_data, name, whole, kept, ignored):
    folder = shared_data / "uavdt" / GT
    boxes = read_boxes(folder / f"{name}_gt_whole.txt")
    assert len(boxes.rects) == whole
    assert len(read_boxes(folder / f"{name}_gt.txt", "gt").rects) == kept
    assert len(read_ignore(folder / f"{name}_gt_ignore.txt")) == ignored
    assert len(np.unique(np.stack([boxes.rects.frame, boxes.track_id]), axis=1).T) == whole


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["M0101", "M0204", "M0205", "M0208", "M0403", "M0601"])
def test_every_box_and_region_of_real_files_lies_inside_the_image(shared_data, name):
    folder = shared_data / "uavdt" / GT
    boxes = read_boxes(folder / f"{name}_gt_whole.txt")
    canvas = Canvas((540, 1024), np.arange(1, 2001), ORIGIN, "refuse")
    made = build_annotations(boxes, canvas, per_frame=read_ignore(folder / f"{name}_gt_ignore.txt"))
    assert (made.clipped, made.dropped) == (0, 0)
    assert made.boxes.xyxy.min() >= 0
    assert (made.boxes.xyxy.max(axis=0) <= (1024, 540, 1024, 540)).all()


@pytest.mark.realdata
def test_golden_rows_of_a_real_file(shared_data):
    boxes = read_boxes(shared_data / "uavdt" / GT / "M0101_gt_whole.txt")
    assert boxes.rects.xyxy[0].tolist() == [141, 147, 247, 192]
    assert np.bincount(boxes.class_id).tolist() == [5156, 188, 70]
    assert np.count_nonzero(boxes.flags & BoxFlag.TRUNCATED) == 88 + 75
    assert np.count_nonzero(boxes.flags & BoxFlag.OCCLUDED) == 60

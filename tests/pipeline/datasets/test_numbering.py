"""Frames counted from 0 or from 1: what refused boxes are told, and the option that puts them right."""

from __future__ import annotations

import logging

import pytest

from spotlabel.pipeline.datasets.mot import READER as MOT
from spotlabel.pipeline.datasets.ua_detrac import READER as UA_DETRAC
from spotlabel.pipeline.datasets.uavdt import READER as UAVDT
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import boxes_of, listed, loaded, write_images
from tests.pipeline.datasets.test_box_checks import build

BOX = [3, 3, 9, 9]


@pytest.mark.parametrize(
    ("frames", "numbers", "told"),
    [
        ([1, 2, 3], (0, 1, 2), "fit 1 frame earlier, as if the file called the first image 1"),
        ([0, 1, 2], (1, 2, 3), "fit 1 frame later, as if the file called the first image 0"),
        ([3], (0, 1, 2), "fit 1 frame earlier"),
        ([6, 11], (0, 5, 10), "fit 1 frame earlier, as if the file called the first image 1"),
        ([1, 2, 3, 4], (101, 102, 103, 104), "fit 100 frames later, as if the file called the first image 1"),
        ([901, 903], (1, 2, 3), "fit 900 frames earlier, as if the file called the first image 901"),
    ],
)
def test_boxes_that_all_fit_once_shifted(frames, numbers, told):
    rows = [(frame, *BOX) for frame in frames]
    with pytest.raises(DatasetError, match=told) as caught:
        build(*rows, numbers=numbers)
    assert "renumber the images or the boxes" in str(caught.value)
    assert "beyond" not in str(caught.value)


@pytest.mark.parametrize(
    ("frames", "numbers"), [([0, 1, 2, 3], (1, 2)), ([1, 9], (1, 2, 3)), ([50, 51], (1, 2, 3))]
)
def test_boxes_that_fit_at_no_shift_are_told_of_images(frames, numbers):
    with pytest.raises(DatasetError, match=r"add the images, or set dataset\.beyond=drop"):
        build(*[(frame, *BOX) for frame in frames], numbers=numbers)


def test_leaving_boxes_out_does_not_hide_a_shift(caplog):
    with caplog.at_level(logging.WARNING, "spotlabel"):
        found = build((0, *BOX), (1, *BOX), (2, *BOX), beyond="drop")
    assert found.dropped == 1
    assert "1 boxes of frames without an image are left out, but all boxes fit 1 frame later" in caplog.text
    assert caplog.records[0].implausible


def mot(root, images, rows):
    write_images(root / "a/img1", images, "{:06}.jpg")
    (root / "a/gt").mkdir()
    (root / "a/gt/gt.txt").write_text("".join(f"{n},{k},4,4,6,6,1,3,1\n" for k, n in enumerate(rows)))
    return root


@pytest.mark.parametrize(("images", "rows", "first"), [((0, 1, 2), (1, 3), 1), ((1, 2, 3), (0, 2), 0)])
def test_images_of_a_folder_and_rows_counted_differently(tmp_path, images, rows, first):
    root = mot(tmp_path, images, rows)
    with pytest.raises(DatasetError, match=rf"set dataset.first_frame={first}\)"):
        loaded(MOT, root)
    (sequence,) = listed(MOT, root, first_frame=first).values()
    assert sequence.frames.numbers.tolist() == list(images)
    assert [len(boxes) for boxes in boxes_of(sequence.load())] == [1, 0, 1]


def test_rows_of_a_cut_and_images_numbered_as_in_the_whole_video(tmp_path):
    found = loaded(MOT, mot(tmp_path, (7, 8), (1, 2)), first_frame=1)
    assert [len(boxes) for boxes in boxes_of(found)] == [1, 1]


def test_ignore_regions_are_renumbered_with_the_boxes(tmp_path):
    root = mot(tmp_path, (0, 1, 2), (1, 2, 3))
    with (root / "a/gt/gt.txt").open("a") as file:
        file.write("3,-1,10,10,5,5,0,8,1\n")
    found = loaded(MOT, root, first_frame=1)
    assert found.regions.at(2).tolist() == [[9, 9, 14, 14]]


def test_the_option_of_the_aerial_and_the_traffic_reader(tmp_path):
    write_images(tmp_path / "uav/M1", range(3), "img{:06}.jpg")
    (tmp_path / "uav/M1_gt_whole.txt").write_text("3,1,3,3,9,9,1,1,1\n")
    with pytest.raises(DatasetError, match=r"set dataset\.first_frame=1"):
        loaded(UAVDT, tmp_path / "uav")
    assert len(loaded(UAVDT, tmp_path / "uav", first_frame=1).boxes.at(2)) == 1

    write_images(tmp_path / "det/DETRAC-Images/MVI_1", range(3))
    (tmp_path / "det/DETRAC-Train-Annotations-XML").mkdir()
    (tmp_path / "det/DETRAC-Train-Annotations-XML/MVI_1.xml").write_text(
        '<sequence><sequence_attribute camera_state="stable"/><frame num="3"><target_list>'
        '<target id="1">'
        '<box left="3.5" top="3.5" width="6" height="6"/><attribute vehicle_type="car"/>'
        "</target></target_list>"
        "</frame></sequence>"
    )
    assert len(loaded(UA_DETRAC, tmp_path / "det", first_frame=1).boxes.at(2)) == 1


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_a_boxes_file_that_holds_nothing(tmp_path, text):
    root = mot(tmp_path, (1, 2), ())
    (root / "a/gt/gt.txt").write_text(text)
    with pytest.raises(DatasetError, match=r"gt\.txt: is empty \(\d bytes\): an export that failed\?"):
        loaded(MOT, root)

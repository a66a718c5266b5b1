"""Boxes without area and tracks that are in a frame twice: left out or refused, counted and told."""

from __future__ import annotations

import logging

import pytest

from spotlabel.pipeline.datasets import coco, mot, ua_detrac
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import STRICT, boxes_of, loaded, regions_of, write_images
from tests.pipeline.datasets import test_types


def rows(root, *lines):
    write_images(root / "a/img1", name="{:06d}.jpg")
    (root / "a/gt").mkdir(exist_ok=True)
    (root / "a/gt/gt.txt").write_text("\n".join(lines))
    return root


GOOD = "1,1,2,3,10,20"


@pytest.mark.parametrize("bad", ["2,2,5,5,0,9", "2,2,5,5,9,0", "2,2,0,0,0,0", "2,2,-1,5,0,9"])
def test_boxes_without_area_are_left_out_counted_and_told(tmp_path, caplog, bad):
    root = rows(tmp_path, GOOD, bad)
    with caplog.at_level(logging.WARNING, "spotlabel"):
        found = loaded(mot.READER, root)
    assert boxes_of(found) == [[[1, 2, 11, 22]], [], []]
    assert found.dropped == 1
    told = "1 box without area, left out, the first: line 2 (dataset.bad_boxes=fail refuses them)"
    assert told in caplog.text
    with pytest.raises(DatasetError, match=r"line 2: (width|height) is 0, expected more than 0"):
        loaded(mot.READER, root, **STRICT)


@pytest.mark.parametrize("bad", ["2,2,5,5,-1,9", "2,2,5,5,nan,9", "2,2,5,5,9,inf"])
def test_boxes_that_are_no_boxes_are_refused_all_the_same(tmp_path, bad):
    with pytest.raises(DatasetError, match="line 2: "):
        loaded(mot.READER, rows(tmp_path, GOOD, bad))


@pytest.mark.parametrize("empty", [[], None, [5, 5, 0, 0]])
def test_an_empty_bbox(tmp_path, caplog, empty):
    found = loaded(coco.READER, test_types.dataset(tmp_path, {}, {"bbox": empty}))
    assert boxes_of(found) == [[[1, 2, 11, 22]], []]
    assert found.dropped == 1
    assert "1 box without area, left out, the first: annotations[1]" in caplog.text
    found = loaded(coco.READER, test_types.dataset(tmp_path, {"bbox": empty, "iscrowd": 1}))
    assert regions_of(found) == [[], []]
    with pytest.raises(DatasetError, match=r"annotations\[0\]: bbox\[2\] is 0"):
        loaded(coco.READER, test_types.dataset(tmp_path, {"bbox": empty}), **STRICT)


@pytest.mark.parametrize("box", ["", "<box/>", '<box left="" top="" width="" height=""/>'])
def test_an_empty_box_element(tmp_path, caplog, box):
    write_images(tmp_path / "DETRAC-Images/MVI_1")
    (tmp_path / "DETRAC-Train-Annotations-XML").mkdir()
    (tmp_path / "DETRAC-Train-Annotations-XML/MVI_1.xml").write_text(
        '<sequence><sequence_attribute camera_state="stable" sence_weather="sunny"/>'
        '<frame num="1"><target_list>'
        f'<target id="1">{box}<attribute vehicle_type="car" truncation_ratio="0"/></target>'
        '<target id="2"><box left="1.5" top="2.5" width="10" height="20"/>'
        '<attribute vehicle_type="car" truncation_ratio="0"/></target></target_list></frame></sequence>'
    )
    found = loaded(ua_detrac.READER, tmp_path)
    assert boxes_of(found)[0] == [[1, 2, 11, 22]]
    assert found.dropped == 1
    assert "1 box without area, left out, the first: line 1" in caplog.text


def test_copies_of_a_box_are_left_out(tmp_path, caplog):
    root = rows(tmp_path, GOOD, GOOD, GOOD, "2,1,4,3,10,20")
    found = loaded(mot.READER, root)
    assert boxes_of(found) == [[[1, 2, 11, 22]], [[3, 2, 13, 22]], []]
    assert found.boxes.track_id.tolist() == [1, 1]
    assert found.dropped == 2
    assert "2 boxes that are copies of another, left out, the first: line 2" in caplog.text
    with pytest.raises(DatasetError, match="line 2: track id 1 a second time in frame 1"):
        loaded(mot.READER, root, **STRICT)


def test_boxes_that_share_a_track_have_none_in_that_frame(tmp_path, caplog):
    root = rows(tmp_path, GOOD, "1,1,30,3,10,20", "1,2,20,3,10,20", "2,1,4,3,10,20")
    found = loaded(mot.READER, root)
    assert found.boxes.track_id.tolist() == [-1, -1, 2, 1]
    assert found.dropped == 0
    assert "2 boxes whose track is in the frame more than once, taken without a track there" in caplog.text


def test_boxes_without_a_track_may_be_equal(tmp_path, caplog):
    found = loaded(mot.READER, rows(tmp_path, "1,-1,2,3,10,20", "1,-1,2,3,10,20"))
    assert len(found.boxes.xyxy) == 2
    assert not caplog.text


def test_new_options_change_nothing_that_a_store_depends_on_unless_set():
    before = {"beyond", "camera", "ignore", "classes", "inactive"}
    assert {*mot.MotOptions().deciding()} == before
    assert {*mot.MotOptions(bad_boxes="fail").deciding()} == before | {"bad_boxes"}
    assert "strip_prefix" not in coco.CocoOptions().deciding()
    assert coco.CocoOptions(strip_prefix="/x").deciding()["strip_prefix"] == "/x"

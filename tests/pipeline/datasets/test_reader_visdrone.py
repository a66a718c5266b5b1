"""The VisDrone reader: ten columns, what counts, and where files lie."""

from __future__ import annotations

import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.visdrone import READER
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera
from tests.helpers.dataset_files import boxes_of, listed, loaded, regions_of, write_images

ROWS = """1,0,2,3,10,20,1,4,0,0
1,1,0,0,5,6,0,0,0,0
2,0,3,3,10,20,1,4,1,2
2,2,30,10,10,10,0,4,0,0
3,5,20,20,9,8,1,11,0,0
"""


def dataset(root, rows=ROWS, folder="", image="{:07d}.jpg"):
    write_images(root / folder / "sequences/uav0000013_00000_v", name=image)
    (root / folder / "annotations").mkdir()
    (root / folder / "annotations/uav0000013_00000_v.txt").write_text(rows)
    return root


@pytest.mark.parametrize("folder", ["", "VisDrone2019-VID-train", "VisDrone2019-MOT-val"])
def test_boxes_and_regions(tmp_path, folder):
    (sequence,) = listed(READER, dataset(tmp_path, folder=folder)).values()
    found = sequence.load()
    assert boxes_of(found) == [[[2, 3, 12, 23]], [[3, 3, 13, 23]], []]
    assert regions_of(found) == [[[0, 0, 5, 6]], [[30, 10, 40, 20]], [[20, 20, 29, 28]]]
    assert [found.class_names[i] for i in found.boxes.class_id] == ["car", "car"]
    assert found.boxes.track_id.tolist() == [0, 0]
    assert found.boxes.flags.tolist() == [0, BoxFlag.TRUNCATED | BoxFlag.OCCLUDED]
    assert sequence.camera is Camera.MOVING
    assert sequence.name == "uav0000013_00000_v"


def test_others_may_be_kept(tmp_path):
    found = loaded(READER, dataset(tmp_path), others="keep")
    assert boxes_of(found)[2] == [[20, 20, 29, 28]]
    assert regions_of(found)[2] == []
    assert found.class_names[found.boxes.class_id[2]] == "others"


def test_trailing_commas_blanks_and_a_camera_that_stands(tmp_path):
    (sequence,) = listed(READER, dataset(tmp_path, "1 0 2 3 10 20 1 4 0 0,\n\n"), camera="fixed").values()
    assert sequence.camera is Camera.FIXED
    root = tmp_path / "second"
    assert boxes_of(loaded(READER, dataset(root, "1,0,2,3,10,20,1,4,0,0,\r\n\r\n")))[0] == [[2, 3, 12, 23]]


def test_images_that_are_numbered_from_0(tmp_path):
    root = dataset(tmp_path, "1,0,2,3,10,20,1,4,0,0\n3,0,2,3,10,20,1,4,0,0\n")
    folder = root / "sequences/uav0000013_00000_v"
    (folder / "0000003.jpg").rename(folder / "0000000.jpg")
    with pytest.raises(DatasetError, match=r"line 2: frame 3 has no image, .*set dataset.first_frame=1"):
        loaded(READER, root)
    assert [len(boxes) for boxes in boxes_of(loaded(READER, root, first_frame=1))] == [1, 0, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,0,2,3,10,20,1,12,0,0", "line 1: category is 12, expected 0 ignored regions, 1 pedestrian"),
        ("1,0,2,3,10,20,1,4,0", "line 1: 9 columns, expected 10"),
        ("1,0,2,x,10,20,1,4,0,0", "line 1: top is 'x', expected a number"),
        ("1.5,0,2,3,10,20,1,4,0,0", "line 1: frame is 1.5, expected a whole number"),
        ("", "is empty"),
    ],
)
def test_bad_rows(tmp_path, row, message):
    with pytest.raises(DatasetError, match=f"uav0000013_00000_v.txt: {message}"):
        loaded(READER, dataset(tmp_path, row))


def test_no_boxes_for_images(tmp_path, caplog):
    dataset(tmp_path)
    write_images(tmp_path / "sequences/uav2", name="{:07d}.jpg")
    assert list(listed(READER, tmp_path)) == ["uav0000013_00000_v"]
    assert "images but no annotations: uav2" in caplog.text

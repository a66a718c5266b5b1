"""The MOT reader: rows with 6 to 10 columns, seqinfo.ini, classes, rows not to be considered."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.mot import READER
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera
from tests.helpers.dataset_files import (
    HEIGHT,
    WIDTH,
    all_loaded,
    boxes_of,
    listed,
    loaded,
    regions_of,
    write_images,
)

ROWS = "1,1,2,3,10,20,1,1,1\n3,1,11,3,10,20,1,3,0.5\n3,2,1,1,5,5,0,8,1\n"
INFO = "[Sequence]\nname=A\nimDir=img1\nframeRate=30\nseqLength=3\nimWidth=60\nimHeight=40\nimExt=.jpg\n"


def dataset(root, rows=ROWS, info=INFO, *, name="A", images="img1", image_name="{:06d}.jpg"):
    write_images(root / name / images, name=image_name)
    (root / name / "gt").mkdir(parents=True, exist_ok=True)
    (root / name / "gt" / "gt.txt").write_bytes(rows.encode())
    if info is not None:
        (root / name / "seqinfo.ini").write_bytes(info.encode())
    return root


def test_boxes_classes_flags_and_rows_not_considered(tmp_path):
    (sequence,) = listed(READER, dataset(tmp_path)).values()
    assert sequence.camera is Camera.FIXED
    assert [path.name for path in sequence.annotation_files] == ["gt.txt", "seqinfo.ini"]
    found = sequence.load()
    assert boxes_of(found) == [[[1, 2, 11, 22]], [], [[10, 2, 20, 22]]]
    assert regions_of(found) == [[], [], [[0, 0, 5, 5]]]
    assert [found.class_names[i] for i in found.boxes.class_id] == ["pedestrian", "car"]
    assert found.boxes.flags.tolist() == [0, BoxFlag.OCCLUDED]
    assert found.native_origin == 1
    dropped = loaded(READER, tmp_path, inactive="drop", camera="moving")
    assert regions_of(dropped) == [[], [], []]
    assert listed(READER, tmp_path, camera="moving")["A"].camera is Camera.MOVING


def test_static_ignore_option(tmp_path):
    found = loaded(READER, dataset(tmp_path), ignore=[[0, 0, 7, 8], [50, 30, 99, 99]])
    assert regions_of(found)[1] == [[0, 0, 7, 8], [50, 30, WIDTH, HEIGHT]]
    with pytest.raises(ValueError, match="has no area, expected x0 < x1 and y0 < y1"):
        READER.options_type(ignore=[[5, 0, 5, 8]])


@pytest.mark.parametrize(
    ("row", "classes", "names"),
    [
        ("1,1,2,3,10,20", None, ("object",)),
        ("1,1,2,3,10,20,0.7", None, ("object",)),
        ("1,-1,2,3,10,20,1,-1", None, ("object",)),
        ("1,1,2,3,10,20,1,-4.2,17.5,0", None, ("object",)),
        ("1,1,2,3,10,20,1,4,0,0", {4: "car"}, ("car",)),
        ("1 1 2 3 10 20 1 9", {4: "car", 9: "car", 2: "bus"}, ("bus", "car")),
    ],
)
def test_forms_of_rows(tmp_path, row, classes, names):
    found = loaded(READER, dataset(tmp_path, row + "\n"), classes=classes)
    assert boxes_of(found)[0] == [[1, 2, 11, 22]]
    assert found.class_names == names
    assert names[found.boxes.class_id[0]] in ("object", "car")
    assert found.boxes.flags.tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("1,1,2,3,10\n", "line 1: 5 columns, expected 6 to 10: frame,id,left"),
        ("1,1,2,3,10,20\n2,1,2,3,10,20,1\n", "line 2: 7 columns, but line 1 has 6"),
        ("1,1,2,3,10,20,1,99,1\n", "line 1: class is 99, known are 1 pedestrian, 2 person on vehicle"),
        ("1,1,2,3,10,20,nan,1,1\n", "line 1: consider is nan, expected a finite number"),
        ("1,-2,2,3,10,20,1,1,1\n", "line 1: track id is -2"),
        ("0,1,2,3,10,20,1,1,1\n", "line 1: frame 0 has no image, the images are 1 to 3"),
    ],
)
def test_bad_rows(tmp_path, rows, problem):
    with pytest.raises(DatasetError) as error:
        loaded(READER, dataset(tmp_path, rows))
    assert f"gt.txt: {problem}" in str(error.value)
    assert "\n" not in str(error.value)


def test_folder_and_extension_come_from_seqinfo(tmp_path):
    info = INFO.replace("img1", "frames").replace(".jpg", ".png")
    root = dataset(tmp_path, info=info, images="frames", image_name="{:04d}.png")
    (root / "A" / "frames" / "0009.jpg").write_bytes(b"not listed")
    assert len(listed(READER, root)["A"].frames) == 3


def test_without_seqinfo(tmp_path):
    sequence = listed(READER, dataset(tmp_path, info=None, image_name="{}.PNG"))["A"]
    assert len(sequence.load().boxes) == 3
    assert len(sequence.annotation_files) == 1


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        (INFO.replace("img1", "../B/img1"), "imDir: '../B/img1' leads out of"),
        (INFO.replace("img1", "/etc"), "imDir: '/etc' leads out of"),
        (INFO.replace("60", "wide"), "[Sequence]: imWidth is 'wide', expected a whole number"),
        ("name=A\n", "File contains no section headers"),
        ("[Other]\nname=A\n", "no section [Sequence]"),
    ],
)
def test_bad_seqinfo(tmp_path, info, problem):
    with pytest.raises(DatasetError) as error:
        all_loaded(READER, dataset(tmp_path, info=info))
    assert f"seqinfo.ini: {problem}" in str(error.value)
    assert "\n" not in str(error.value)


def test_images_of_another_size_than_declared(tmp_path, caplog):
    info = INFO.replace("60", "120").replace("seqLength=3", "seqLength=5")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        sequence = listed(READER, dataset(tmp_path, info=info))["A"]
    assert "seqLength is 5, but there are 3 images" in caplog.text
    with pytest.raises(DatasetError, match="declares 120 x 40 pixels, but the images have 60 x 40"):
        sequence.load()


def test_root_may_be_a_sequence_or_hold_splits(tmp_path, caplog):
    dataset(tmp_path / "train", name="B10")
    dataset(tmp_path / "train", name="B9")
    write_images(tmp_path / "test" / "C" / "img1", name="{:06d}.jpg")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert list(listed(READER, tmp_path)) == ["B9", "B10"]
    assert "images but no annotations: C" in caplog.text
    assert list(listed(READER, tmp_path / "train")) == ["B9", "B10"]
    assert list(listed(READER, tmp_path / "train" / "B9")) == ["B9"]


def test_equal_names_in_two_splits_are_refused(tmp_path):
    for split in ("train", "test"):
        dataset(tmp_path / split)
    with pytest.raises(DatasetError, match=r"train/A: a second sequence of this name, the other is .*test/A"):
        listed(READER, tmp_path)


def test_the_current_folder_as_root(tmp_path, monkeypatch):
    monkeypatch.chdir(dataset(tmp_path) / "A")
    assert list(listed(READER, Path())) == ["A"]


def test_nothing_usable(tmp_path):
    (tmp_path / "A" / "img1").mkdir(parents=True)
    with pytest.raises(DatasetError, match="none with both; looked for <sequence>/img1"):
        listed(READER, tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        listed(READER, tmp_path / "absent")


@pytest.mark.parametrize("name", ["sneaky..", "ü 車", "two  spaces", "n" * 200])
def test_hostile_sequence_names_pass_through_as_data(tmp_path, name):
    assert list(listed(READER, dataset(tmp_path, name=name))) == [name]

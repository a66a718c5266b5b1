"""Names of classes and columns of MOT rows: read where they stand, told where they are assumed."""

from __future__ import annotations

import logging

import pytest

from spotlabel.pipeline.datasets import mot, video
from tests.helpers.dataset_files import boxes_of, listed, loaded, write_images


def dataset(root, row, labels=None, name="a"):
    write_images(root / name / "img1", name="{:06d}.jpg")
    (root / name / "gt").mkdir(exist_ok=True)
    (root / name / "gt/gt.txt").write_text(row + "\n")
    if labels is not None:
        (root / name / "gt/labels.txt").write_bytes(labels)
    return root


ROW = "1,1,2,3,10,20,1,{},1"


@pytest.mark.parametrize(
    ("labels", "number", "name"),
    [
        (b"car\n", 1, "car"),
        (b"car\r\nbus\r\n", 2, "bus"),
        (b"\xef\xbb\xbfcar\nbus", 1, "car"),
        (b"car\n\nvan\n", 3, "van"),
        ("vélo\n".encode(), 1, "vélo"),
    ],
)
def test_labels_beside_the_rows(tmp_path, caplog, labels, number, name):
    root = dataset(tmp_path, ROW.format(number), labels)
    (sequence,) = listed(mot.READER, root).values()
    found = sequence.load()
    assert found.class_names[found.boxes.class_id[0]] == name
    assert root / "a/gt/labels.txt" in sequence.annotation_files
    assert "assumed" not in caplog.text


def test_a_class_that_labels_do_not_name(tmp_path):
    with pytest.raises(Exception, match="class is 2, known are 1 car"):
        loaded(mot.READER, dataset(tmp_path, ROW.format(2), b"car\n"))


def test_names_of_the_recipe_come_first(tmp_path):
    found = loaded(mot.READER, dataset(tmp_path, ROW.format(1), b"car\n"), classes={1: "tram"})
    assert found.class_names == ("tram",)


def test_labels_beside_a_video(tmp_path):
    (tmp_path / "gate.mp4").write_bytes(b"")
    (tmp_path / "gate.txt").write_text(ROW.format(1))
    (tmp_path / "labels.txt").write_text("car\n")
    (sequence,) = listed(video.READER, tmp_path).values()
    assert sequence.annotation_files == (tmp_path / "gate.txt", tmp_path / "labels.txt")


@pytest.mark.parametrize(("name", "told"), [("gate", True), ("MOT17-02-FRCNN", False), ("MOT20-01", False)])
def test_assumed_names_are_told_but_not_for_the_benchmark_itself(tmp_path, caplog, name, told):
    with caplog.at_level(logging.WARNING, "spotlabel"):
        loaded(mot.READER, dataset(tmp_path, ROW.format(3), name=name))
    assert ("class names of MOT17 are assumed: 3 is car (name yours" in caplog.text) is told


@pytest.mark.parametrize(
    ("last", "told"), [("3,0,0", True), ("1,0,1", True), ("-1,-1,-1", False), ("-7.25,4.5,0", False)]
)
def test_a_class_column_that_is_taken_for_coordinates_is_told(tmp_path, caplog, last, told):
    found = loaded(mot.READER, dataset(tmp_path, f"1,1,2,3,10,20,1,{last}"))
    assert boxes_of(found)[0] == [[1, 2, 11, 22]]
    assert ("column 8 looks like a class (set dataset.classes" in caplog.text) is told

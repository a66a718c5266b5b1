"""The YOLO reader: layouts, names, rows, and which images were annotated."""

from __future__ import annotations

import logging

import pytest

from spotlabel.pipeline.datasets.yolo import READER
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import boxes_of, listed, loaded, write_images

ROW = "1 0.25 0.5 0.1 0.2"  # 60 x 40 pixels: 12..18, 16..24
BOX = [12, 16, 18, 24]


def dataset(root, *files, images="images/gate", labels="labels/gate", names="names: [bus, car]\n"):
    """Images 1 to 3 and a label file for each text that is not None."""
    write_images(root / images, name="frame_{:04d}.jpg")
    (root / labels).mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(files, start=1):
        if text is not None:
            (root / labels / f"frame_{number:04d}.txt").write_text(text)
    if names is not None:
        (root / "data.yaml").write_text(names)
    return root


def rounded(found):
    return [[[round(x, 4) for x in box] for box in boxes] for boxes in boxes_of(found)]


def test_boxes_in_pixels(tmp_path):
    found = loaded(READER, dataset(tmp_path, ROW + "\n0 0.5 0.5 1 1 7\n", "", f"{ROW}\r\n\r\n"))
    assert rounded(found) == [[BOX, [0, 0, 60, 40]], [], [BOX]]
    assert found.class_names == ("bus", "car")
    assert found.annotated is None


def test_rows_with_and_without_track(tmp_path):
    found = loaded(READER, dataset(tmp_path, ROW + "\n0 0.5 0.5 1 1 7\n", "", ""))
    assert found.boxes.track_id.tolist() == [-1, 7]
    assert found.boxes.class_id.tolist() == [1, 0]


def test_an_image_without_a_label_file_was_not_annotated(tmp_path, caplog):
    root = dataset(tmp_path, ROW, None, "")
    found = loaded(READER, root)
    assert found.annotated.tolist() == [True, False, True]
    assert "1 of 3 frames are not listed" in caplog.text
    assert loaded(READER, root, annotated="all").annotated is None


@pytest.mark.parametrize(
    ("images", "labels", "name"),
    [
        ("images/gate", "labels/gate", "gate"),
        ("images/train/gate", "labels/train/gate", "train/gate"),
        ("train/images", "train/labels", "train"),
        ("images", "labels", "root"),
        ("gate", "gate", "gate"),
    ],
)
def test_layouts(tmp_path, images, labels, name):
    root = dataset(tmp_path / "root", ROW, "", "", images=images, labels=labels)
    (sequence,) = listed(READER, root).values()
    assert sequence.name == name
    assert rounded(sequence.load())[0] == [BOX]
    assert [path.name for path in sequence.annotation_files][-1] == "data.yaml"


def test_folders_of_other_names(tmp_path):
    root = dataset(tmp_path, ROW, "", "", images="pictures/gate", labels="boxes/gate")
    assert rounded(loaded(READER, root, images="pictures", annotations="boxes"))[0] == [BOX]
    with pytest.raises(DatasetError, match=r"no images with a file \*.txt each"):
        listed(READER, root)


def test_several_videos_in_one_folder(tmp_path):
    for name in ("gate", "yard"):
        write_images(tmp_path / "images", name=name + "_{:03d}_jpg.rf.0123abcd.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/yard_002_jpg.rf.0123abcd.txt").write_text(ROW)
    (tmp_path / "labels/gate_001_jpg.rf.0123abcd.txt").write_text("")
    found = listed(READER, tmp_path)
    assert [name.rpartition("/")[2] for name in found] == ["gate", "yard"]
    assert [len(boxes) for boxes in boxes_of(list(found.values())[1].load())] == [0, 1, 0]


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("data.yaml", "names: {0: bus, 1: car, 5: van}\ntrain: ../train/images\n", ("bus", "car", "van")),
        ("data.yaml", "nc: 2\nnames: ['bus', 'car']\n", ("bus", "car")),
        ("classes.txt", "bus\ncar\n", ("bus", "car")),
        ("labels/gate/classes.txt", "bus\r\ncar", ("bus", "car")),
    ],
)
def test_names(tmp_path, caplog, file, text, names):
    root = dataset(tmp_path, ROW, "", "", names=None)
    (root / file).write_text(text)
    found = loaded(READER, root)
    assert found.class_names == names
    assert names[found.boxes.class_id[0]] == "car"
    assert not caplog.records


def test_classes_without_names_are_told(tmp_path, caplog):
    found = loaded(READER, dataset(tmp_path, ROW, "", "", names=None))
    assert found.class_names == ("1",)
    assert "classes without a name are called 1 (name them in data.yaml" in caplog.text
    assert loaded(READER, tmp_path, classes={1: "tram"}).class_names == ("tram",)


def test_outlines_are_told_and_their_boxes_taken(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    found = loaded(READER, dataset(tmp_path, "1 0.2 0.4 0.3 0.4 0.3 0.6 0.25 0.7", ROW, ""))
    assert rounded(found)[0] == [[12, 16, 18, 28]]
    assert [r.getMessage().partition(": ")[2] for r in caplog.records] == [
        "the boxes around 1 outlines are taken, the outlines are not read"
    ]


def test_key_points_are_passed_over(tmp_path):
    names = "names: [bus, car]\nkpt_shape: [2, 3]\n"
    found = loaded(READER, dataset(tmp_path, f"{ROW} 0.1 0.1 2 0.2 0.2 2", "", "", names=names))
    assert rounded(found)[0] == [BOX]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0.5 0.5 0.1", "line 1: 4 columns, expected class x_center y_center width height"),
        (f"{ROW}\n1 30 20 6 8", "line 2: x_center is 30, expected a share of the image's size, from 0 to 1"),
        ("car 0.5 0.5 0.1 0.1", "line 1: 'car' is no number"),
        ("1 0.5 0.5 nan 0.1", "line 1: 'nan' is no number"),
        ("1.5 0.5 0.5 0.1 0.1", "line 1: class is '1.5', expected a whole number"),
        (f"{ROW} 0.87", "line 1: track is '0.87', expected a whole number .is it a score"),
        ("1 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "line 1: 8 columns"),
    ],
)
def test_bad_rows(tmp_path, text, message):
    with pytest.raises(DatasetError, match=f"frame_0001.txt: {message}"):
        loaded(READER, dataset(tmp_path, text))


@pytest.mark.parametrize("names", ["names: 3\n", "nc: 2\n", "names: {a: bus}\n", "- 1\n"])
def test_bad_names(tmp_path, names):
    (sequence,) = listed(READER, dataset(tmp_path, ROW, names=names)).values()
    assert "data.yaml: names: is" in sequence.problem


def test_no_yaml(tmp_path):
    (sequence,) = listed(READER, dataset(tmp_path, ROW, names="names: [a\n")).values()
    assert "data.yaml: no valid YAML" in sequence.problem


def test_a_box_without_area_names_the_frame(tmp_path):
    with pytest.raises(DatasetError, match="frame 2: line 1: width is 0, expected more than 0"):
        loaded(READER, dataset(tmp_path, "", "1 0.5 0.5 0 0.1"), bad_boxes="fail")


def test_images_without_numbers_stop_only_themselves(tmp_path):
    dataset(tmp_path, ROW)
    write_images(tmp_path / "images/stills", [0], name="office.jpg")
    (tmp_path / "labels/stills").mkdir()
    (tmp_path / "labels/stills/office.txt").write_text("")
    found = listed(READER, tmp_path)
    assert {name: bool(sequence.problem) for name, sequence in found.items()} == {
        "gate": False,
        "stills": True,
    }
    assert "no frame number in its name" in found["stills"].problem


@pytest.mark.parametrize(
    "names",
    [
        "names: " + "[" * 3000,
        "names: [2001-99-99]",
        "names: [[car], bus]",
        "a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, car]",
    ],
)
def test_names_that_are_no_names_are_one_line(tmp_path, names):
    with pytest.raises(DatasetError, match=r"data\.yaml: ") as told:
        loaded(READER, dataset(tmp_path, ROW, "", "", names=names))
    assert "\n" not in str(told.value)

"""The Pascal VOC reader: an XML file for every image of a sequence."""

from __future__ import annotations

import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.voc import READER
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import HEIGHT, WIDTH, boxes_of, listed, loaded, regions_of, write_images

SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"


def voc(*objects, size=SIZE):
    """An XML file of objects ``name, xmin, ymin, xmax, ymax, more``."""
    text = "".join(
        f"<object><name>{name}</name>{more}<bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>"
        f"<ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d, more in objects
    )
    return f"<annotation><folder>x</folder><filename>000001.jpg</filename>{size}{text}</annotation>"


CAR = ("car", 2, 3, 11, 22, "")
BOX = [1, 2, 11, 22]


def dataset(root, *files, images="JPEGImages/gate", annotations="Annotations/gate"):
    write_images(root / images, name="{:06d}.jpg")
    (root / annotations).mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(files, start=1):
        if text is not None:
            (root / annotations / f"{number:06d}.xml").write_text(text)
    return root


def test_boxes(tmp_path):
    bus = ("bus", 1, 1, 60, 40, "<truncated>1</truncated><occluded>1</occluded>")
    found = loaded(READER, dataset(tmp_path, voc(CAR), voc(), voc(bus, CAR)))
    assert boxes_of(found) == [[BOX], [], [[0, 0, 60, 40], BOX]]
    assert [found.class_names[i] for i in found.boxes.class_id] == ["car", "bus", "car"]
    assert found.boxes.flags.tolist() == [0, BoxFlag.TRUNCATED | BoxFlag.OCCLUDED, 0]
    assert found.annotated is None


def test_pixel_edges_from_0(tmp_path, caplog):
    edges = voc(("car", 0, 2.5, 11, 22, ""))
    found = loaded(READER, dataset(tmp_path, edges, voc(), voc()), origin=0)
    assert boxes_of(found)[0] == [[0, 2.5, 11, 22]]
    assert not caplog.records
    found = loaded(READER, tmp_path)
    assert boxes_of(found)[0] == [[0, 1.5, 11, 22]]
    assert "1 boxes begin at 0, but VOC calls the first pixel 1" in caplog.text


def test_difficult_objects(tmp_path):
    root = dataset(
        tmp_path,
        voc((*CAR[:5], "<difficult>1</difficult>")),
        voc(),
        voc(),
    )
    found = loaded(READER, root)
    assert boxes_of(found)[0] == []
    assert regions_of(found)[0] == [BOX]
    assert boxes_of(loaded(READER, root, difficult="keep"))[0] == [BOX]


def test_an_image_without_a_file_was_not_annotated(tmp_path, caplog):
    found = loaded(READER, dataset(tmp_path, voc(CAR), None, voc()))
    assert found.annotated.tolist() == [True, False, True]
    assert "1 of 3 frames are not listed" in caplog.text


@pytest.mark.parametrize(
    ("images", "annotations", "name"),
    [
        ("JPEGImages/gate", "Annotations/gate", "gate"),
        ("JPEGImages", "Annotations", "root"),
        ("gate", "gate", "gate"),
        ("gate/images", "gate/annotations", "gate"),
        ("Data/VID/train/a", "Annotations/VID/train/a", "VID/train/a"),
    ],
)
def test_layouts(tmp_path, images, annotations, name):
    root = dataset(tmp_path / "root", voc(CAR), voc(), voc(), images=images, annotations=annotations)
    (sequence,) = listed(READER, root).values()
    assert sequence.name == name
    assert boxes_of(sequence.load())[0] == [BOX]
    assert len(sequence.annotation_files) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            voc(CAR, size="<size><width>9</width><height>8</height></size>"),
            "000001.xml: size: declares 9 x 8",
        ),
        (voc(("car", "a", 1, 2, 2, "")), "000001.xml: object 1: xmin is 'a', expected a number"),
        (
            voc(CAR, ("car", 9, 1, 2, 2, "")),
            r"frame 1: object 2: xmax - xmin \+ 1 is -6, expected more than 0",
        ),
        ("<annotations/>", "000001.xml: the outermost element is <annotations>, expected <annotation>"),
        (voc(CAR)[:-3], "000001.xml: no well-formed XML"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        loaded(READER, dataset(tmp_path, text))

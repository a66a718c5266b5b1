"""Still pictures of COCO: boxes, crowds, outlines of every kind, lists of pictures, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.coco import read_coco_set
from spotlabel.detector.data.stills.coco_masks import runs_of, union
from spotlabel.detector.data.stills.picture import PictureFiles
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.still_files import write_coco, write_picture

masks = pytest.importorskip("pycocotools.mask", reason="COCO's outlines need pycocotools (spotlabel[train])")

SIZE = (30, 40)
IMAGES = [
    {"id": 9, "file_name": "COCO_val2014_000000000009.jpg", "height": 30, "width": 40},
    {"id": 25, "file_name": "part/25.jpg", "height": 20, "width": 20},
]
TRIANGLE = [[22, 4, 26, 4, 26, 8]]
SQUARE = [[4, 2, 12, 2, 12, 10, 4, 10]]
ANNOTATIONS = [
    {"id": 1, "image_id": 9, "category_id": 3, "bbox": [4, 2, 8, 8], "segmentation": SQUARE, "iscrowd": 0},
    {
        "id": 2, "image_id": 9, "category_id": 1, "bbox": [20, 0, 10, 30], "iscrowd": 1,
        "segmentation": {"size": [30, 40], "counts": [20 * 30, 10 * 30, 10 * 30]},
    },
    {"id": 3, "image_id": 9, "category_id": 1, "bbox": [22.5, 4, 4, 4], "segmentation": TRIANGLE},
    {"id": 4, "image_id": 25, "category_id": 1, "bbox": [2, 3, 6, 4], "segmentation": []},
    {"id": 5, "image_id": 25, "category_id": 1, "bbox": [9, 9, 5, 0], "segmentation": []},
]  # fmt: skip
NAMES = {3: "car", 1: "person"}
ALL = ClassMap(("car", "person"))


def written(folder: Path, images=IMAGES, annotations=ANNOTATIONS, names=NAMES):
    for k, image in enumerate(IMAGES):
        write_picture(folder / "images" / image["file_name"], (image["height"], image["width"]), k)
    return read_coco_set(write_coco(folder / "instances.json", images, annotations, names))


def test_boxes_crowds_and_boxes_without_area(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    coco = written(tmp_path)
    assert coco.class_names == ("car", "person")
    first, second = coco.pictures(tmp_path / "images", ALL)
    assert first.boxes.tolist() == [[4, 2, 12, 10], [22.5, 4, 26.5, 8]]
    assert first.class_id.tolist() == [0, 1]
    assert first.ignore.tolist() == [[20, 0, 30, 30]]
    assert (first.path, first.size) == (tmp_path / "images" / IMAGES[0]["file_name"], SIZE)
    assert second.boxes.tolist() == [[2, 3, 8, 7]]
    assert "1 boxes without area are left out" in caplog.text
    (person, _) = coco.pictures(tmp_path / "images", ClassMap(("person",)))
    assert (person.boxes.tolist(), person.class_id.tolist()) == ([[22.5, 4, 26.5, 8]], [0])


def test_masks_have_three_values(tmp_path: Path) -> None:
    stills = PictureFiles(written(tmp_path).pictures(tmp_path / "images", ALL))
    mask = stills.read(0).mask
    assert mask is not None
    expected = np.zeros(SIZE, np.uint8)
    expected[:, 20:30] = 255
    expected[2:10, 4:12] = 1
    drawn = masks.decode(masks.frPyObjects(TRIANGLE, *SIZE))[:, :, 0]
    expected[drawn == 1] = 1  # an object in a crowd is known
    assert np.array_equal(mask, expected)
    assert 0 < drawn.sum() < 16
    outlined = stills.read(1).mask
    assert outlined is not None
    assert np.argwhere(outlined == 255).min(0).tolist() == [3, 2]
    assert (outlined == 255).sum() == 24
    assert (outlined[outlined != 255] == 0).all()


def test_lists_of_pictures(tmp_path: Path) -> None:
    coco, images, minival = written(tmp_path), tmp_path / "images", tmp_path / "minival.txt"
    for text in ("9\n", "COCO_val2014_000000000009.jpg\n\n"):
        minival.write_text(text)
        (only,) = coco.pictures(images, ALL, only=minival)
        (rest,) = coco.pictures(images, ALL, without=minival)
        assert (only.path.name, rest.path.name) == ("COCO_val2014_000000000009.jpg", "25.jpg")
    for text, message in (("9\n7\n", "line 2: '7' is neither id nor file_name"), ("\n", "lists no picture")):
        minival.write_text(text)
        with pytest.raises(DatasetError, match=message):
            coco.pictures(images, ALL, only=minival)
    minival.write_text("9\n25\n")
    with pytest.raises(DatasetError, match="there is no picture to take"):
        coco.pictures(images, ALL, without=minival)


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_as_numbers_and_as_text_are_one_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = tuple(int(side) for side in rng.integers(1, 60, 2))
    drawn = (rng.random(size) < rng.random()).astype(np.uint8)
    coded = masks.encode(np.asfortranarray(drawn))
    flat = np.concatenate([[2], drawn.T.reshape(-1)])
    starts = np.flatnonzero(np.diff(flat))
    lengths = np.diff([*starts, drawn.size]).tolist()
    counts = lengths if drawn.T.reshape(-1)[0] == 0 else [0, *lengths]
    for written_as in (coded["counts"].decode(), counts):
        (runs,) = runs_of({"size": list(size), "counts": written_as}, size)
        assert np.array_equal(masks.decode({"size": list(size), "counts": union([runs])}), drawn)


def change(position: int, **fields: object) -> list[dict]:
    rows = copy.deepcopy(ANNOTATIONS)
    rows[position] |= fields
    return rows


RUNS = {"size": [30, 40], "counts": [5]}


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (change(0, bbox=[1, 2, 3]), "annotations[0].bbox: list should have at least 4 items"),
        (change(0, bbox=[1, 2, "3", 4]), "annotations[0].bbox[2]: input should be a valid number, found '3'"),
        (
            change(0, bbox=[1, 2, True, 4]),
            "bbox[2]: input should be a valid number, found True",
        ),
        (change(0, bbox=[1, 2, float("nan"), 4]), "annotations[0]: bbox[2] is nan, expected a finite number"),
        (change(2, bbox=[1, 2, -3, 4]), "annotations[2]: bbox[2] is -3, expected more than 0"),
        (change(0, image_id=7), "annotations[0]: image_id 7 is not among the images"),
        (change(0, category_id=2), "annotations[0]: category_id 2 is not among the categories"),
        (change(0, category_id=None), "annotations[0].category_id"),
        (change(0, segmentation=[[1, 2, 3]]), "annotations[0]: segmentation: expected polygons"),
        (change(0, segmentation=[[1, 2, float("inf"), 4, 5, 6]]), "segmentation: expected polygons"),
        (change(0, segmentation="x"), "segmentation: expected polygons"),
        (
            change(1, segmentation=RUNS),
            "annotations[1]: segmentation: counts: run lengths of 5 pixels",
        ),
        (change(1, segmentation={**RUNS, "size": [40, 30]}), "size is [40, 30], expected [30, 40]"),
        (change(1, segmentation={**RUNS, "counts": [-1, 1201]}), "counts: expected whole numbers, 0 or more"),
        (change(1, segmentation={**RUNS, "counts": "ü"}), "counts: 'ü' is not pycocotools' text"),
        (change(1, segmentation={**RUNS, "counts": "0"}), "counts: run lengths of 0 pixels"),
        ([{"image_id": 9}], "annotations[0].category_id: field required"),
        ([3], "annotations[0]: input should be a valid dictionary, found 3"),
    ],
)
def test_bad_annotations_get_one_line(tmp_path: Path, annotations: list, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        written(tmp_path, annotations=annotations).pictures(tmp_path, ALL)
    assert str(caught.value).startswith(f"{tmp_path / 'instances.json'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([IMAGES[0], IMAGES[0]], "images[1]: id 9 a second time"),
        (
            [{**IMAGES[0], "height": 0}, IMAGES[1]],
            "images[0].height: input should be greater",
        ),
        (
            [{**IMAGES[0], "file_name": "../x.jpg"}, IMAGES[1]],
            "images[0]: file_name: '../x.jpg' leads out",
        ),
        ([{**IMAGES[0], "file_name": "/x.jpg"}, IMAGES[1]], "images[0]: file_name: '/x.jpg' leads out of"),
        ("none", "images: input should be a valid list, found 'none'"),
    ],
)
def test_bad_images_get_one_line(tmp_path: Path, images, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        written(tmp_path, images=images).pictures(tmp_path, ALL)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_coco(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text, message in (("[1]", "input should be a valid dictionary"), ("{", "line 1: no valid JSON")):
        path.write_text(text)
        with pytest.raises(DatasetError, match=message):
            read_coco_set(path)
    path.write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(DatasetError, match=r"a\.json: categories: field required$"):
        read_coco_set(path)

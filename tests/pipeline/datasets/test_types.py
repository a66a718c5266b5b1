"""Values as exporters type them: numbers as text, truth as words, values in a neighbouring field."""

from __future__ import annotations

import json

import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets import coco
from spotlabel.pipeline.datasets.tracks import track_numbers
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import boxes_of, listed, loaded, regions_of, write_images


def dataset(root, *annotations, image_ids=(1, 2), category=1):
    images = [{"id": i, "file_name": f"A/{n:06d}.jpg"} for n, i in enumerate(image_ids, start=1)]
    first = {"image_id": image_ids[0], "category_id": category, "bbox": [1, 2, 10, 20]}
    content = {"images": images, "categories": [{"id": category, "name": "car"}]}
    content["annotations"] = [{**first, **fields} for fields in annotations]
    (root / "boxes.json").write_text(json.dumps(content))
    write_images(root / "images/A", [1, 2], name="{:06d}.jpg")
    return root


@pytest.mark.parametrize("no", [0, 0.0, "0", "0.0", "false", "False", "no", "", None, False])
@pytest.mark.parametrize("key", ["iscrowd", "ignore"])
def test_no_is_no_however_it_is_written(tmp_path, key, no):
    found = loaded(coco.READER, dataset(tmp_path, {key: no}))
    assert boxes_of(found) == [[[1, 2, 11, 22]], []]
    assert regions_of(found) == [[], []]


@pytest.mark.parametrize("yes", [1, 1.0, "1", "true", "True", "yes", True])
def test_yes_is_yes(tmp_path, yes):
    found = loaded(coco.READER, dataset(tmp_path, {"iscrowd": yes}))
    assert boxes_of(found) == [[], []]
    assert regions_of(found) == [[[1, 2, 11, 22]], []]


@pytest.mark.parametrize("other", ["maybe", [], {"a": 1}])
def test_what_is_neither_is_refused(tmp_path, other):
    with pytest.raises(DatasetError, match=r"annotations\[0\]: iscrowd is .*, expected 0 or 1"):
        loaded(coco.READER, dataset(tmp_path, {"iscrowd": other}))


@pytest.mark.parametrize(
    ("images", "image", "category", "given"),
    [
        ((1, 2), "1", 1, "1"),
        (("1", "2"), 1, "1", 1),
        ((1.0, 2.0), 1, 1.0, 1),
        (("frame-a", "frame-b"), "frame-a", "car", "car"),
        ((1, 2), 1.0, 1, 1.0),
    ],
)
def test_ids_as_numbers_or_text(tmp_path, images, image, category, given):
    fields = {"image_id": image, "category_id": given}
    found = loaded(coco.READER, dataset(tmp_path, fields, image_ids=images, category=category))
    assert boxes_of(found) == [[[1, 2, 11, 22]], []]
    assert found.class_names == ("car",)


def test_an_id_that_is_there_as_number_and_as_text_means_what_it_is(tmp_path):
    root = dataset(tmp_path, {"image_id": 1}, {"image_id": "1"}, image_ids=(1, "1"))
    assert boxes_of(loaded(coco.READER, root)) == [[[1, 2, 11, 22]], [[1, 2, 11, 22]]]


def test_boxes_and_sizes_as_text(tmp_path):
    found = loaded(coco.READER, dataset(tmp_path, {"bbox": ["1", "2.0", "10", 20]}))
    assert boxes_of(found) == [[[1, 2, 11, 22]], []]


@pytest.mark.parametrize(
    ("fields", "track"),
    [
        ({"track_id": 7}, 7),
        ({"track_id": "7"}, 7),
        ({"track_id": 7.0}, 7),
        ({"attributes": {"track_id": 7}}, 7),
        ({"attributes": {"track_id": "7"}}, 7),
        ({"attributes": {"instance_id": 7}}, 7),
        ({"track_id": None, "attributes": {"track_id": 7}}, 7),
        ({"track_id": 3, "attributes": {"track_id": 7}}, 3),
        ({"track_id": ""}, -1),
        ({"attributes": []}, -1),
        ({"track_id": "car-a"}, 1),
    ],
)
def test_tracks_wherever_they_stand(tmp_path, fields, track):
    assert loaded(coco.READER, dataset(tmp_path, fields)).boxes.track_id.tolist() == [track]


@pytest.mark.parametrize("wrong", [1.5, True, [1], {"id": 1}])
def test_what_is_no_track(tmp_path, wrong):
    with pytest.raises(DatasetError, match=r"annotations\[0\]: track_id is .*, expected a number or text"):
        loaded(coco.READER, dataset(tmp_path, {"track_id": wrong}))


def test_text_tracks_are_numbered_as_they_appear_beside_the_numbers_in_use():
    given = ["b", "a", 1, "b", "3", None, "", "c", " a "]
    assert track_numbers(given) == [2, 4, 1, 2, 3, -1, -1, 5, 4]
    assert track_numbers([[], 1.5, True]) == [None, None, None]


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"attributes": {"occluded": True}}, BoxFlag.OCCLUDED),
        ({"attributes": {"occluded": "false", "truncated": "true"}}, BoxFlag.TRUNCATED),
        ({"occluded": 1, "truncated": 1}, BoxFlag.OCCLUDED | BoxFlag.TRUNCATED),
        ({"attributes": {"occluded": False}}, BoxFlag(0)),
    ],
)
def test_flags_under_attributes(tmp_path, fields, flags):
    assert loaded(coco.READER, dataset(tmp_path, fields)).boxes.flags.tolist() == [int(flags)]


def test_files_that_were_once_read_otherwise_are_told_from_the_others(tmp_path):
    def rules(fields):
        (sequence,) = listed(coco.READER, dataset(tmp_path, fields)).values()
        return sequence.reader

    assert rules({"track_id": 7, "iscrowd": 0}) == "coco 1"
    for fields in ({"attributes": {"track_id": 7}}, {"iscrowd": "0"}, {"occluded": 1}):
        assert rules(fields) == "coco 1.1"

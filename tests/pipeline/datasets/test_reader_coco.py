"""The COCO reader: sequences, frame numbers, crowds, and file names that try to escape."""

from __future__ import annotations

import json
import logging

import pytest

from spotlabel.pipeline.datasets.coco import READER
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera
from tests.helpers.dataset_files import (
    HEIGHT,
    STRICT,
    WIDTH,
    all_loaded,
    boxes_of,
    listed,
    loaded,
    regions_of,
    write_images,
)

CATEGORIES = [{"id": 7, "name": "bus"}, {"id": 3, "name": "car"}]


def image(number, **fields):
    file_name = fields.pop("file_name", f"A/{number:06d}.jpg")
    return {"id": number, "file_name": file_name, "width": WIDTH, "height": HEIGHT, **fields}


def annotation(image_id, bbox=(1, 2, 10, 20), category=3, **fields):
    return {"image_id": image_id, "bbox": list(bbox), "category_id": category, **fields}


def document(*annotations, images=None, **fields):
    images = [image(n) for n in (1, 2, 3)] if images is None else images
    return {"images": images, "annotations": list(annotations), "categories": CATEGORIES, **fields}


def dataset(root, content, folder="images/A", numbers=range(1, 4)):
    write_images(root / folder, numbers, name="{:06d}.jpg")
    text = content if isinstance(content, str) else json.dumps(content)
    (root / "boxes.json").write_text(text)
    return root


def test_boxes_classes_tracks_and_crowds(tmp_path):
    content = document(
        annotation(3, category=7, track_id=5),
        annotation(1, instance_id=9),
        annotation(3, (50.5, 30.25, 20, 20)),
        annotation(2, (0, 0, 5, 6), iscrowd=1),
        annotation(2, (1, 1, 5, 6), ignore=1),
    )
    (sequence,) = listed(READER, dataset(tmp_path, content), camera="moving").values()
    assert sequence.name == "A"
    assert sequence.camera is Camera.MOVING
    assert [path.name for path in sequence.annotation_files] == ["boxes.json"]
    found = sequence.load()
    expected = [[[1, 2, 11, 22]], [], [[1, 2, 11, 22], [50.5, 30.25, WIDTH, HEIGHT]]]
    assert boxes_of(found) == expected
    assert regions_of(found) == [[], [[0, 0, 5, 6], [1, 1, 6, 7]], []]
    assert found.class_names == ("car", "bus")
    assert found.boxes.class_id.tolist() == [0, 1, 0]
    assert found.boxes.track_id.tolist() == [9, 5, -1]
    assert (found.native_origin, found.clipped, found.dropped) == (0, 1, 0)


def test_static_ignore_option(tmp_path):
    found = loaded(READER, dataset(tmp_path, document()), ignore=[[0, 0, 7, 8]])
    assert regions_of(found) == [[[0, 0, 7, 8]]] * 3


def test_sequences_by_video_names_with_frame_numbers_of_their_own(tmp_path):
    videos = [{"id": 1, "name": "road 10"}, {"id": 2, "name": "road 9"}]
    images = [
        image(11, file_name="x/000001.jpg", video_id=1, frame_id=20),
        image(12, file_name="x/000002.jpg", video_id=1, frame_id=10),
        image(13, file_name="x/000003.jpg", video_id=2, frame_index=0),
    ]
    content = document(annotation(11), images=images, videos=videos)
    sequences = listed(READER, dataset(tmp_path, content, "images/x"))
    assert list(sequences) == ["road 9", "road 10"]
    assert sequences["road 10"].frames.numbers.tolist() == [10, 20]
    assert [path.name for path in sequences["road 10"].frames.files()] == ["000002.jpg", "000001.jpg"]
    assert boxes_of(sequences["road 10"].load()) == [[], [[1, 2, 11, 22]]]
    assert boxes_of(sequences["road 9"].load()) == [[]]


def test_sequences_by_video_id_alone_or_by_file(tmp_path):
    images = [image(n, video_id=4) for n in (1, 2)]
    assert list(listed(READER, dataset(tmp_path, document(images=images)))) == ["4"]
    flat = [image(n, file_name=f"{n:06d}.jpg") for n in (1, 2)]
    assert list(listed(READER, dataset(tmp_path, document(images=flat), "images"))) == ["boxes"]


def test_folders_and_files_given_by_options(tmp_path):
    dataset(tmp_path, document(), "pictures/A")
    (tmp_path / "boxes.json").rename(tmp_path / "other.txt")
    assert list(listed(READER, tmp_path, annotations="other.txt", images="pictures")) == ["A"]
    with pytest.raises(DatasetError, match=r"expected one JSON file here or in annotations, found none"):
        listed(READER, tmp_path)
    with pytest.raises(DatasetError, match=r"nowhere\.json: cannot be read: No such file"):
        listed(READER, tmp_path, annotations="nowhere.json")


def test_listed_sequences_without_any_image_are_left_out(tmp_path, caplog):
    images = [image(1), image(2, file_name="B/000001.jpg")]
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert list(listed(READER, dataset(tmp_path, document(images=images)))) == ["A"]
    assert "annotations but no images: B" in caplog.text
    with pytest.raises(DatasetError, match="none with both"):
        listed(READER, dataset(tmp_path, document(images=[image(2, file_name="B/1.jpg")])))


@pytest.mark.parametrize("file_name", ["../secret/1.jpg", "/etc/1.jpg", "A/../../1.jpg", "..", "A/1\0.jpg"])
def test_file_names_that_lead_out_of_the_image_folder(tmp_path, file_name):
    content = document(images=[image(1), image(2, file_name=file_name, frame_id=5)])
    with pytest.raises(DatasetError, match=r"boxes\.json: images\[1\]: .* leads out of") as error:
        all_loaded(READER, dataset(tmp_path, content))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../..", "/etc/passwd", "ü 車", "n" * 300, "a\nb", "9" * 5000])
def test_hostile_video_names_pass_through_as_data(tmp_path, name):
    images = [image(n, video_id=1) for n in (1, 2, 3)]
    content = document(annotation(1), images=images, videos=[{"id": 1, "name": name}])
    (sequence,) = listed(READER, dataset(tmp_path, content)).values()
    assert sequence.name == name
    assert len(sequence.load().boxes.xyxy) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{\n1", "line 2: no valid JSON: Expecting property name"),
        ("[]", "expected a JSON object with images, annotations and categories"),
        ("[" * 100_000, "no JSON that can be read: maximum recursion depth"),
        ('{"images": ' + "9" * 5000 + "}", "no JSON that can be read: Exceeds the limit"),
        ({"images": []}, "categories: is missing, expected a list"),
        (document(images=5), "images: is 5, expected a list"),
        (document(images=[5]), "images[0]: is 5, expected an object"),
        (document(images=[{"id": 1}]), "images[0]: file_name is missing, expected text"),
        (document(images=[{"file_name": "a1.jpg"}]), "images[0]: id is missing, expected a number or text"),
        (document(images=[image(1, video_id=True)]), "images[0]: video_id is True, expected a number or"),
        (document(images=[image(1, video_id=3)], videos=[]), "annotations of 1 sequences, none with both"),
        (document(images=[image(1, frame_id=1.5)]), "images[0]: frame_id is 1.5, expected a whole number"),
        (document(images=[image(1, frame_id=2**60)]), "images[0]: frame_id is 1152921504606846976"),
        (document(images=[image(1, file_name="a.jpg")]), "images[0]: no frame_id, and no frame number in"),
        (document(images=[image(1), image(1)]), "images[1]: id 1 a second time"),
        (
            document(images=[image(1), image(2, frame_id=1)]),
            "images[1]: frame 1 of sequence 'A' a second time",
        ),
        (document(videos=[{"id": 1, "name": "a"}] * 2), "videos[1]: name 'a' a second time"),
        (document(annotation(9)), "annotations[0]: image_id 9 is not among the images"),
        (document({"bbox": [1, 1, 1, 1]}), "annotations[0]: image_id is missing"),
    ],
)
def test_files_that_cannot_be_listed(tmp_path, content, problem):
    numbers = range(0) if "none with both" in problem else range(1, 4)
    with pytest.raises(DatasetError) as error:
        all_loaded(READER, dataset(tmp_path, content, numbers=numbers))
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (annotation(1, category=4), "category_id 4 is not among the categories"),
        ({"image_id": 1, "category_id": 3}, "bbox is missing, expected [x, y, width, height]"),
        (annotation(1, (1, 2, 3)), "bbox is [1, 2, 3], expected [x, y, width, height]"),
        (annotation(1, (1, 2, "wide", 4)), "bbox is [1, 2, 'wide', 4], expected"),
        (annotation(1, (1, 2, True, 4)), "bbox is [1, 2, True, 4], expected"),
        (annotation(1, (1, 2, 10**400, 4)), "bbox is [1, 2, 1000"),
        (annotation(1, (float("nan"), 2, 3, 4)), "bbox[0] is nan, expected a finite number"),
        (annotation(1, (1, 2, 3, float("inf"))), "bbox[3] is inf, expected a finite number"),
        (annotation(1, (1, 2, -3, 4)), "bbox[2] is -3, expected more than 0"),
        (annotation(1, (1, 2, 3, 4e5)), "bbox[3] is 400000, more than 10 times the image"),
        (annotation(1, track_id=1.5), "track_id is 1.5, expected a number or text"),
        (annotation(2, track_id=1), "track id 1 a second time in frame 2"),
        (annotation(2, (0, 0, 0, 1), iscrowd=1), "bbox[2] is 0, expected more than 0"),
    ],
)
def test_bad_annotations_fail_their_sequence_alone(tmp_path, bad, problem):
    images = [*(image(n) for n in (1, 2, 3)), image(4, file_name="B/000001.jpg")]
    content = document(annotation(2, track_id=1), bad, annotation(4), images=images)
    write_images(tmp_path / "images/B", [1], name="{:06d}.jpg")
    sequences = listed(READER, dataset(tmp_path, content), **STRICT)
    assert len(sequences["B"].load().boxes.xyxy) == 1
    with pytest.raises(DatasetError) as error:
        sequences["A"].load()
    assert f"boxes.json: annotations[1]: {problem}" in str(error.value)
    assert "\n" not in str(error.value)


def test_times_are_no_frame_numbers(tmp_path):
    images = [image(1), image(2), image(3, frame_id=1519384728123)]
    with pytest.raises(DatasetError, match=r"3 frame numbers of 'A' are spread over .* with frame_id"):
        all_loaded(READER, dataset(tmp_path, document(images=images)))


def test_file_names_too_long_to_exist(tmp_path):
    images = [image(1), image(2, file_name="n" * 5000 + "2.jpg", video_id=1)]
    assert list(listed(READER, dataset(tmp_path, document(images=images)))) == ["A"]


def test_boxes_drawn_on_images_of_another_size(tmp_path):
    content = document(images=[image(1), image(2, width=120)])
    with pytest.raises(
        DatasetError, match=r"images\[1\]: declares 120 x 40 pixels, but the images have 60 x 40"
    ):
        loaded(READER, dataset(tmp_path, content))


def test_a_listed_image_without_a_file_still_has_its_boxes(tmp_path):
    found = loaded(READER, dataset(tmp_path, document(annotation(2)), numbers=[1, 3]))
    assert boxes_of(found) == [[], [[1, 2, 11, 22]], []]


def test_equal_category_names_are_one_class(tmp_path):
    categories = [{"id": "b", "name": "car"}, {"id": 2, "name": "car"}, {"id": 1, "name": "bus"}]
    content = document(annotation(1, category="b"), annotation(2, category=1)) | {"categories": categories}
    found = loaded(READER, dataset(tmp_path, content))
    assert found.class_names == ("bus", "car")
    assert found.boxes.class_id.tolist() == [1, 0]

"""Which frames were annotated: by COCO's images, by elements, rows, the option, or a file of numbers."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from spotlabel.pipeline.datasets.annotated import every, read_numbers
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.coco import READER as COCO
from spotlabel.pipeline.datasets.mot import READER as MOT
from spotlabel.pipeline.datasets.ua_detrac import READER as UA_DETRAC
from spotlabel.pipeline.datasets.uavdt import READER as UAVDT
from spotlabel.pipeline.datasets.video import READER as VIDEO
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Sequence
from tests.helpers.dataset_files import HEIGHT, WIDTH, write_images

FRAMES = 8


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Bytes of a video of eight frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for grey in range(FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), 20 * grey + 40, np.uint8))
    writer.release()
    return path.read_bytes()


def one(reader: Reader, root: Path, **options: object) -> Sequence:
    """The only sequence as a recipe lists it."""
    (sequence,) = reader.listed(root, reader.options_type(**options), FrameOptions())
    return sequence


def annotated(sequence: Sequence) -> list[int] | None:
    """Positions of the annotated frames; None for all."""
    found = sequence.load().annotated
    return None if found is None else np.flatnonzero(found).tolist()


def video(root: Path, clip: bytes, boxes: str, suffix: str = ".csv") -> Path:
    (root / "road.avi").write_bytes(clip)
    (root / f"road{suffix}").write_text(boxes)
    return root


def csv(*frames: int) -> str:
    return "frame,x0,y0,x1,y1\n" + "".join(f"{frame},1,2,11,22\n" for frame in frames)


def coco(listed: list[int], boxed: list[int]) -> str:
    return json.dumps({
        "images": [
            {"id": n + 1, "file_name": f"f{n:03}.png", "width": WIDTH, "height": HEIGHT} for n in listed
        ],
        "annotations": [{"image_id": n + 1, "category_id": 1, "bbox": [1, 2, 10, 20]} for n in boxed],
        "categories": [{"id": 1, "name": "car"}],
    })  # fmt: skip


def test_all_frames_unless_something_says_otherwise(tmp_path, clip):
    sequence = one(VIDEO, video(tmp_path, clip, csv(0, 5)))
    assert annotated(sequence) is None
    assert sequence.load().listed.tolist() == [True, *[False] * 4, True, False, False]


@pytest.mark.parametrize(
    ("option", "expected"),
    [("all", None), ("listed", [1, 3, 6]), ("every-2", [1, 3, 5, 7]), ("every-1", None), ("every-5", [1, 6])],
)
def test_the_option_on_rows(tmp_path, clip, option, expected):
    assert annotated(one(VIDEO, video(tmp_path, clip, csv(1, 3, 6)), annotated=option)) == expected


def test_coco_lists_its_annotated_frames_by_images(tmp_path, clip, caplog):
    root = video(tmp_path, clip, coco([0, 2, 4, 6], [2]), ".json")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert annotated(one(VIDEO, root)) == [0, 2, 4, 6]
    assert "4 of 8 frames are not listed" in caplog.text
    assert annotated(one(VIDEO, root, annotated="all")) is None
    assert annotated(one(VIDEO, root, annotated="every-2")) == [0, 2, 4, 6]


def test_coco_that_lists_every_frame_says_nothing(tmp_path, clip, caplog):
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert annotated(one(VIDEO, video(tmp_path, clip, coco(list(range(8)), []), ".json"))) is None
    assert caplog.text == ""


def test_coco_that_stops_half_way_leaves_the_rest_unknown(tmp_path, clip):
    assert annotated(one(VIDEO, video(tmp_path, clip, coco([0, 1, 2], [0, 1, 2]), ".json"))) == [0, 1, 2]


def test_coco_images_alone_are_the_frames_of_an_image_folder(tmp_path):
    write_images(tmp_path / "images" / "a", range(0, 20, 5), "f{:03}.jpg")
    document = json.loads(coco([0, 5, 10, 15], [5]))
    for image in document["images"]:
        image["file_name"] = "a/" + image["file_name"].replace("png", "jpg")
    (tmp_path / "boxes.json").write_text(json.dumps(document))
    sequence = one(COCO, tmp_path)
    assert sequence.frames.numbers.tolist() == [0, 5, 10, 15]
    assert annotated(sequence) is None


XML = """<sequence name="road"><sequence_attribute camera_state="stable" />
{}</sequence>"""
TARGET = (
    '<target_list><target id="4"><box left="1.5" top="2.5" width="10" height="20" />'
    '<attribute vehicle_type="car" /></target></target_list>'
)


def detrac(boxed: list[int], empty: list[int]) -> str:
    frames = dict.fromkeys(boxed, TARGET) | dict.fromkeys(empty, "<target_list />")
    return XML.format("".join(f'<frame num="{n}">{frames[n]}</frame>' for n in sorted(frames)))


def test_elements_of_xml_count_as_listed_with_or_without_targets(tmp_path, clip):
    root = video(tmp_path, clip, detrac([1, 7], [4]), ".xml")
    assert annotated(one(VIDEO, root)) is None  # UA-DETRAC leaves out frames without vehicles
    assert annotated(one(VIDEO, root, annotated="listed")) == [0, 3, 6]


def test_the_option_on_image_folders(tmp_path):
    write_images(tmp_path / "det/DETRAC-Images/MVI_1", range(1, 6))
    xml = tmp_path / "det/DETRAC-Train-Annotations-XML"
    xml.mkdir()
    (xml / "MVI_1.xml").write_text(detrac([2], [3]))
    assert annotated(one(UA_DETRAC, tmp_path / "det", annotated="listed")) == [1, 2]

    write_images(tmp_path / "mot/a/img1", range(1, 6), "{:06}.jpg")
    (tmp_path / "mot/a/gt").mkdir()
    (tmp_path / "mot/a/gt/gt.txt").write_text("1,1,3,3,9,9,1,3,1\n4,-1,3,3,9,9,0,8,1\n")
    assert annotated(one(MOT, tmp_path / "mot", annotated="listed")) == [0, 3]

    write_images(tmp_path / "uav/M1", range(1, 6), "img{:06}.jpg")
    (tmp_path / "uav/M1_gt_whole.txt").write_text("2,1,3,3,9,9,1,1,1\n")
    (tmp_path / "uav/M1_gt_ignore.txt").write_text("5,-1,3,3,9,9,-1,-1,-1\n")
    assert annotated(one(UAVDT, tmp_path / "uav", annotated="listed")) == [1, 4]


def test_a_file_of_frame_numbers(tmp_path, clip, caplog):
    root = video(tmp_path, clip, csv(0, 5))
    (root / "road.frames").write_text("# looked at\n0, 2-3\n7\n")
    sequence = one(VIDEO, root, annotated="{sequence}.frames")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert annotated(sequence) == [0, 2, 3, 7]
    assert "1 frames with boxes are not among the annotated" in caplog.text
    assert sequence.annotated_file == root / "road.frames"
    assert annotated(one(VIDEO, root, annotated=str(root / "road.frames"))) == [0, 2, 3, 7]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0\n9\n", "frame 9 is none of the frames, which are 0 to 7"),
        ("0\nfive\n", "line 2: 'five' is neither a frame number nor a span"),
        ("5-3", "line 1: '5-3' is neither"),
        ("# nothing\n", "holds no frame number"),
    ],
)
def test_files_of_frame_numbers_that_cannot_be_used(tmp_path, clip, text, problem):
    root = video(tmp_path, clip, csv(0))
    (root / "numbers.txt").write_text(text)
    with pytest.raises(DatasetError, match=problem):
        one(VIDEO, root, annotated="numbers.txt", video="road.avi", boxes="road.csv").load()


def test_a_misspelt_word_is_told_what_there_is(tmp_path, clip):
    with pytest.raises(DatasetError, match=r"keyframes: no such file .*all, listed, every-N"):
        one(VIDEO, video(tmp_path, clip, csv(0)), annotated="keyframes").load()


@pytest.mark.parametrize("word", ["every-0", "every5", "every", "every--3", "every-2.5", " "])
def test_words_that_are_no_file_either(word):
    with pytest.raises(ValidationError, match="none of all, listed, every-N"):
        ReaderOptions(annotated=word)


def test_the_phase_is_that_of_most_boxes():
    rows = np.isin(np.arange(12), [1, 4, 6, 7])
    assert np.flatnonzero(every(3, rows)).tolist() == [1, 4, 7, 10]
    assert np.flatnonzero(every(3, np.zeros(6, np.bool_))).tolist() == [0, 3]


def test_numbers_are_sorted_and_each_there_once(tmp_path):
    (tmp_path / "n").write_text("7;3 5-7,3")
    assert read_numbers(tmp_path / "n").tolist() == [3, 5, 6, 7]

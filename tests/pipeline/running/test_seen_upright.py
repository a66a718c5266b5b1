"""Phone videos, tagged photos and odd JPEG files from the recipe to the mask: the mask lies on the object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.pipeline.names import mask_path
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import Outcome, run_sequence
from spotlabel.pipeline.store import MaskReader
from tests.helpers.frame_files import MATRICES, jpeg, set_matrix, tagged_jpeg, write_video

HEIGHT, WIDTH, EMPTY, COUNT = 60, 96, 14, 24
END = b"\xff\xd9"


def scene() -> tuple[list[np.ndarray], dict[int, tuple[int, int, int, int]]]:
    """A still ground, on which at last a bright block stands here and there; its boxes by place."""
    ground = np.random.default_rng(0).integers(60, 100, (HEIGHT, WIDTH, 3), np.uint8)
    frames = [ground.copy() for _ in range(COUNT)]
    boxes = {}
    for place in range(EMPTY, COUNT):
        x = 1 + 19 * (place % 5)
        frames[place][8:22, x : x + 18] = (40, 220, 250)
        boxes[place] = (x, 8, x + 18, 22)
    return frames, boxes


FRAMES, BOXES = scene()


def stored_as(orientation: int) -> list[np.ndarray]:
    """The frames as a camera stores them that is held another way, for the tags that turn them upright."""
    turns = {3: 2, 6: 1, 8: -1}  # quarter turns counterclockwise, which the tag undoes
    return [np.ascontiguousarray(np.rot90(frame, turns.get(orientation, 0))) for frame in FRAMES]


def labelled(root: Path, reader: str, name: str, **frames: Any) -> tuple[Outcome, Path]:
    recipe = build_recipe({
        "data": str(root / "data"), "out": str(root / "out"),
        "dataset": {"reader": reader, "camera": "fixed"},
        "labeler": "mog2", "evidence": {"mog2": {"warm_up_frames": 3}}, "frames": frames,
    })  # fmt: skip
    outcome = run_sequence(recipe, name, False, lambda *_: None)
    return outcome, mask_path(recipe.out, name)


def shares(path: Path) -> list[float]:
    """Share of the object's box that is foreground, in every frame that has one."""
    masks = MaskReader(path)
    return [float((masks.read(place)[y0:y1, x0:x1] == 1).mean()) for place, (x0, y0, x1, y1) in BOXES.items()]


def assert_on_the_object(outcome: Outcome, masks: Path) -> None:
    assert outcome.error == ""
    assert MaskReader(masks).size == (HEIGHT, WIDTH)
    assert min(shares(masks)) > 0.7


def phone(root: Path, orientation: int) -> None:
    (root / "data").mkdir()
    path = write_video(root / "data" / "phone.mp4", stored_as(orientation))
    set_matrix(path, MATRICES[orientation])


def csv(root: Path) -> None:
    rows = [f"{place},{','.join(map(str, box))},car,1" for place, box in BOXES.items()]
    (root / "data" / "phone.csv").write_text("\n".join(["frame,x0,y0,x1,y1,class,track", *rows]))


def coco(root: Path) -> None:
    images = [
        {"id": n + 1, "file_name": f"phone/{n:06d}.jpg", "width": WIDTH, "height": HEIGHT}
        for n in range(COUNT)
    ]
    objects = [
        {"id": n + 1, "image_id": n + 1, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
        for n, (x0, y0, x1, y1) in BOXES.items()
    ]
    whole = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "car"}]}
    (root / "data" / "phone.json").write_text(json.dumps(whole))


def mot(root: Path, files: list[bytes]) -> None:
    (root / "data" / "a" / "img1").mkdir(parents=True)
    (root / "data" / "a" / "gt").mkdir()
    for number, data in enumerate(files, 1):
        (root / "data" / "a" / "img1" / f"{number:06d}.jpg").write_bytes(data)
    rows = [f"{n + 1},1,{x0 + 1},{y0 + 1},{x1 - x0},{y1 - y0},1,3,1" for n, (x0, y0, x1, y1) in BOXES.items()]
    (root / "data" / "a" / "gt" / "gt.txt").write_text("\n".join(rows))
    (root / "data" / "a" / "gt" / "labels.txt").write_text("person\nbus\ncar\n")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_phone_video_with_boxes_as_it_is_seen(tmp_path: Path, orientation: int) -> None:
    phone(tmp_path, orientation)
    csv(tmp_path)
    outcome, masks = labelled(tmp_path, "video", "phone")
    assert_on_the_object(outcome, masks)
    told = [remark for remark in outcome.remarks if "as the display matrix says" in remark]
    assert len(told) == (orientation != 1)


def test_a_phone_video_whose_annotation_declares_its_size(tmp_path: Path) -> None:
    phone(tmp_path, 6)
    coco(tmp_path)
    assert_on_the_object(*labelled(tmp_path, "video", "phone"))
    outcome, _ = labelled(tmp_path, "video", "phone", orientation="stored")
    assert "declares 96 x 60 pixels, but the images have 60 x 96; as stored they are 60 x 96" in outcome.error
    assert "turned by 90 degrees clockwise: set frames.orientation=upright" in outcome.error


def test_another_way_to_see_frames_makes_evidence_again(tmp_path: Path) -> None:
    phone(tmp_path, 3)
    csv(tmp_path)
    upright, masks = labelled(tmp_path, "video", "phone")
    again, _ = labelled(tmp_path, "video", "phone", orientation="upright")
    assert (upright.evidence, again.evidence, again.masks) == ("made", "fresh", "fresh")
    stored, _ = labelled(tmp_path, "video", "phone", orientation="stored")
    assert stored.evidence == "made"
    assert max(shares(masks)) < 0.1
    assert any("turned by 180 degrees; not followed" in remark for remark in stored.remarks)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_tagged_photos_with_boxes_as_they_are_seen(tmp_path: Path, orientation: int) -> None:
    mot(tmp_path, [tagged_jpeg(jpeg(frame), orientation) for frame in stored_as(orientation)])
    outcome, masks = labelled(tmp_path, "mot", "a")
    assert_on_the_object(outcome, masks)
    (told,) = outcome.remarks
    assert "000001.jpg and 23 more: turned by" in told
    assert f"as EXIF orientation {orientation} says (frames.orientation=stored leaves it)" in told


def test_photos_without_a_tag_are_as_fresh_either_way(tmp_path: Path) -> None:
    mot(tmp_path, [jpeg(frame) for frame in FRAMES])
    outcome, masks = labelled(tmp_path, "mot", "a")
    assert_on_the_object(outcome, masks)
    before = masks.read_bytes()
    for orientation in ("upright", "stored"):
        outcome, _ = labelled(tmp_path, "mot", "a", orientation=orientation)
        assert (outcome.evidence, outcome.masks, outcome.remarks) == ("fresh", "fresh", [])
    assert masks.read_bytes() == before


@pytest.mark.parametrize("end", [b"", bytes(12) + END, bytes(300) + END, b"\xff"])
def test_photos_that_end_oddly(tmp_path: Path, end: bytes) -> None:
    mot(tmp_path, [jpeg(frame)[:-2] + end for frame in FRAMES])
    outcome, masks = labelled(tmp_path, "mot", "a")
    assert_on_the_object(outcome, masks)
    (told,) = outcome.remarks
    assert "000001.jpg and 23 more: no end marker, or padding before it, but every pixel is there" in told


def test_photos_that_were_cut_fail(tmp_path: Path) -> None:
    mot(tmp_path, [jpeg(frame)[: -300 if n == 7 else None] for n, frame in enumerate(FRAMES)])
    outcome, _ = labelled(tmp_path, "mot", "a")
    assert "000008.jpg: truncated or corrupt JPEG" in outcome.error

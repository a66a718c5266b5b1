"""Every format, read back by readers that are not ours, against the mask store."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.store import FOREGROUND, UNKNOWN, FrameState
from tests.helpers import exporting
from tests.helpers.exporting import CLASSES, FRAMES, WARM_UP, Found, Seen

KNOWN = range(WARM_UP, FRAMES)
TRACKS = {7: "car", 3: "bus", 5: "car"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exporting.labelled(tmp_path_factory.mktemp("exports"), "gate", "road")


@pytest.fixture(scope="module")
def by_coco(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    to = exporting.export(recipe, tmp_path_factory.mktemp("coco"), "coco")
    return exporting.read_coco(to / "annotations/gate.json")


def written(recipe: Path, to: Path, form: str) -> Path:
    exporting.export(recipe, to, form)
    exporting.finish(recipe, to, ExportOptions(format=form, classes=CLASSES))
    return to


def check_store(recipe: Path, found: Found, frames: range = KNOWN) -> None:
    """Pixels of objects and unknown pixels are those of the store; every object lies in its own box."""
    masks = exporting.store(recipe, "gate")
    assert [*found] == [*frames]
    assert {int(state) for state in masks.state[WARM_UP:]} == {FrameState.OK}
    for index in KNOWN:
        mask, seen = masks.read(index), found[index]
        assert (seen.unknown == (mask == UNKNOWN)).all()
        together = sum((pixels.astype(int) for _, _, pixels in seen.objects), np.zeros(mask.shape, int))
        assert (together == (mask == FOREGROUND)).all()  # 2 where they overlap
        boxes = masks.boxes.at(index)
        tracks = masks.boxes.track_id[masks.boxes.rows(index)].tolist()
        for name, track, pixels in seen.objects:
            assert TRACKS[track] == name
            x0, y0, x1, y1 = boxes[tracks.index(track)]
            outside = pixels.copy()
            outside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = False
            assert not outside.any()
    for index in set(frames) - set(KNOWN):
        assert found[index].unknown.all()
        assert not found[index].objects


def same(first: Seen, second: Seen) -> None:
    a, b = (sorted(seen.objects, key=lambda row: row[1]) for seen in (first, second))
    assert [row[:2] for row in a] == [row[:2] for row in b]
    assert all((x[2] == y[2]).all() for x, y in zip(a, b, strict=True))


def test_the_scene_has_what_formats_get_wrong(recipe: Path, by_coco: Found) -> None:
    """Two objects whose boxes overlap, one with a hole, one that is unknown, an ignore region."""
    check_store(recipe, by_coco)
    assert {track for seen in by_coco.values() for _, track, _ in seen.objects} == {3, 7}
    unknown = by_coco[4].unknown
    assert unknown[3:9, 3:11].all()
    assert unknown[0:10, 50:64].all()
    masks = exporting.store(recipe, "gate")
    boxes = masks.boxes.at(4)
    assert boxes[0, 0] < boxes[1, 2] and boxes[1, 0] < boxes[0, 2]  # noqa: PT018
    ring = next(pixels for _, track, pixels in by_coco[6].objects if track == 7)
    rows, columns = np.nonzero(ring)
    assert not ring[rows.min() : rows.max(), columns.min() : columns.max()].all()


def test_coco_is_what_pycocotools_expects(recipe: Path, tmp_path: Path) -> None:
    to = written(recipe, tmp_path, "coco")
    coco = COCO(str(to / "instances.json"))
    assert [row["name"] for row in coco.loadCats(coco.getCatIds())] == [*CLASSES]
    assert coco.getCatIds() == [1, 2]
    images = coco.loadImgs(coco.getImgIds())
    assert [row["id"] for row in images] == [*range(1, 13)]
    assert images[0]["file_name"] == f"gate/{WARM_UP + 1:06}.jpg"
    assert images[6]["file_name"] == f"road/{WARM_UP + 1:06}.jpg"
    assert images[6]["video_id"] == 2
    one = COCO(str(to / "annotations/road.json"))
    for image, alone in zip(images[6:], one.loadImgs(one.getImgIds()), strict=True):
        joined = coco.loadAnns(coco.getAnnIds(image["id"]))
        single = one.loadAnns(one.getAnnIds(alone["id"]))
        bare = [{k: v for k, v in row.items() if k not in ("id", "image_id")} for row in joined]
        assert bare == [{k: v for k, v in row.items() if k not in ("id", "image_id")} for row in single]
        assert all(coco.annToMask(row).sum() == row["area"] for row in joined)


def test_coco_tells_the_annotated_box_and_how_far_its_mask_can_be_believed(
    recipe: Path, tmp_path: Path
) -> None:
    to = written(recipe, tmp_path, "coco")
    rows = json.loads((to / "annotations/gate.json").read_text())["annotations"]
    masks = exporting.store(recipe, "gate")
    first = [row for row in rows if row["image_id"] == 1]
    objects = [row for row in first if not row["iscrowd"]]
    place = int(masks.boxes.offsets[WARM_UP])
    for row in objects:
        x0, y0, x1, y1 = masks.boxes.xyxy[place + row["box"]].tolist()
        assert row["bbox"] == [x0, y0, x1 - x0, y1 - y0]
        assert row["score"] == pytest.approx(masks.quality["believability"][place + row["box"]])
    crowds = [row for row in first if row["iscrowd"]]
    assert [(row["category_id"], row.get("track_id")) for row in crowds] == [(1, 5), (1, None), (2, None)]


def test_an_ignore_region_has_no_hole_where_a_box_without_a_mask_lies(tmp_path: Path) -> None:
    """In every class the whole region is left out of account, also beside the box that lies in it."""
    tree = exporting.recipe_tree(tmp_path)
    tree["dataset"]["ignore"] = [[0, 0, 20, 12]]
    recipe = exporting.labelled(tmp_path, "gate", dataset=tree["dataset"])
    rows = json.loads((written(recipe, tmp_path, "coco") / "annotations/gate.json").read_text())[
        "annotations"
    ]
    crowds = [row for row in rows if row["image_id"] == 1 and row["iscrowd"]]
    assert [(row["category_id"], row.get("track_id"), row["area"]) for row in crowds] == [
        (1, 5, 8 * 6),
        (1, None, 20 * 12),
        (2, None, 20 * 12),
    ]


def test_youtube_vis(recipe: Path, by_coco: Found, tmp_path: Path) -> None:
    to = written(recipe, tmp_path, "youtube-vis")
    found = exporting.read_youtube_vis(to / "annotations/gate.json")
    assert [*found] == [*range(FRAMES)]
    for index in range(FRAMES):
        same(found[index], by_coco.get(index, Seen()))
    joined = json.loads((to / "instances.json").read_text())
    assert [row["name"] for row in joined["videos"]] == ["gate", "road"]
    assert [row["video_id"] for row in joined["annotations"]] == [1, 1, 2, 2]
    unknown = {row["track_id"]: row["unknown"] for row in joined["annotations"]}
    assert all(frames[:WARM_UP] == [*range(WARM_UP)] for frames in unknown.values())
    assert joined["videos"][1]["file_names"][0] == "road/000001.jpg"


def test_mots(recipe: Path, by_coco: Found, tmp_path: Path) -> None:
    """Objects are numbered in their class, frames from 1."""
    to = written(recipe, tmp_path, "mots")
    text, pictures = exporting.read_mots(to / "gate")
    tracks = {1001: 7, 2001: 3, 3001: 3}
    for found in (text, pictures):
        assert [*found] == [*range(FRAMES)]
        for index in range(FRAMES):
            seen = found[index]
            seen.objects = [(name, tracks[number], pixels) for name, number, pixels in seen.objects]
        check_store(recipe, found, range(FRAMES))
    assert json.loads((to / "classes.json").read_text()) == {"1": "car", "3": "bus", "10": "unknown"}
    assert {*by_coco} == {*KNOWN}


def test_png(recipe: Path, by_coco: Found, tmp_path: Path) -> None:
    to = written(recipe, tmp_path, "png")
    found = exporting.read_png(to, "gate")
    check_store(recipe, found, range(FRAMES))
    for index in KNOWN:
        same(found[index], by_coco[index])


@pytest.mark.parametrize("form", ["voc", "cvat", "labelme"])
def test_formats_of_images(recipe: Path, by_coco: Found, tmp_path: Path, form: str) -> None:
    to = written(recipe, tmp_path, form)
    if form == "voc":
        found = exporting.read_voc(to, "gate")
        listed = (to / "ImageSets/Segmentation/all.txt").read_text().split()
        assert listed == [f"{name}/{index + 1:06}" for name in ("gate", "road") for index in KNOWN]
    elif form == "cvat":
        found = exporting.read_cvat(to / "gate/annotations.xml")
    else:
        found = exporting.read_labelme(to / "gate")
        assert (to / "labels.txt").read_text().split() == ["__ignore__", "_background_", *CLASSES]
    assert [*found] == [*KNOWN]
    for index in KNOWN:
        same(found[index], by_coco[index])
        if form != "cvat":  # an object without a mask is a box there
            assert (found[index].unknown == by_coco[index].unknown).all()


def test_cvat_shows_objects_without_a_mask_as_boxes(recipe: Path, tmp_path: Path) -> None:
    text = (written(recipe, tmp_path, "cvat") / "gate/annotations.xml").read_text()
    assert text.count("<box ") == len(KNOWN)
    assert '<box label="car" source="auto" occluded="0" z_order="0" xtl="3.0" ytl="3.0" xbr="11.0"' in text


def test_yolo_polygons_keep_the_masks(recipe: Path, by_coco: Found, tmp_path: Path) -> None:
    to = written(recipe, tmp_path, "yolo-seg")
    found = exporting.read_yolo(to, "gate")
    rounded = exporting.read_yolo(to, "gate", np.rint)
    assert [*found] == [*KNOWN]
    overlaps = []
    for index in KNOWN:
        assert len(found[index].objects) == len(by_coco[index].objects)
        same(rounded[index], found[index])
        for (name, _, filled), (wanted, _, pixels) in zip(
            found[index].objects, by_coco[index].objects, strict=True
        ):
            assert name == wanted
            assert filled[pixels].all()
            overlaps.append(pixels.sum() / filled.sum())
    assert np.mean(overlaps) > 0.98
    text = (to / "data.yaml").read_text()
    assert '  0: "car"\n  1: "bus"\n' in text
    assert '["images/gate", "images/road"]' in text


def test_less_believable_masks_are_unknown(recipe: Path, by_coco: Found, tmp_path: Path) -> None:
    masks = exporting.store(recipe, "gate")
    score = masks.quality["believability"]
    first = int(masks.boxes.offsets[WARM_UP])
    believed = sorted(score[first:][masks.believed[first:]].tolist())
    limit = believed[len(believed) // 2]
    found = exporting.read_coco(
        exporting.export(recipe, tmp_path, "coco", min_believability=limit) / "annotations/gate.json"
    )
    kept = 0
    for index in KNOWN:
        here = masks.boxes.rows(index)
        own = dict(zip(masks.boxes.track_id[here].tolist(), score[here].tolist(), strict=True))
        before = {track: pixels for _, track, pixels in by_coco[index].objects}
        after = {track: pixels for _, track, pixels in found[index].objects}
        assert {*after} == {track for track in before if own[track] >= limit}
        assert all((after[track] == before[track]).all() for track in after)
        for track in before.keys() - after.keys():
            assert found[index].unknown[before[track]].all()
        kept += len(after)
    assert 0 < kept < sum(len(seen.objects) for seen in by_coco.values())


def test_every_takes_numbers_that_can_be_divided(recipe: Path, by_coco: Found, tmp_path: Path) -> None:
    found = exporting.read_coco(exporting.export(recipe, tmp_path, "coco", every=3) / "annotations/gate.json")
    assert [*found] == [2, 5]  # positions of frames 3 and 6
    for index in found:
        same(found[index], by_coco[index])

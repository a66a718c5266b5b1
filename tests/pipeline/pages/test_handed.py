"""The queue handed to CVAT and taken back: its boxes alone, and what nobody touched changes nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from spotlabel.pipeline.audit.proposal import proposal_path, read_proposal
from spotlabel.pipeline.errors import ExportError, StoreError
from spotlabel.pipeline.imports.cvat import read_cvat_masks
from spotlabel.pipeline.manual import Correction, Decision, put_manual, read_manual
from spotlabel.pipeline.pages.review.handed import LIST, hand_over
from spotlabel.pipeline.pages.review.queue import Asked, doubtful, stratified
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import Item, items
from tests.helpers.recipes import spotlabel, stores
from tests.helpers.tuning import copied, made_masks, street_recipe

RULES = {"min_fill": 0.02, "min_believability": 0.1}
COUNT = 60


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_recipe(tmp_path_factory.mktemp("handed"), "mog2", masks=RULES)


@pytest.fixture
def own(street: Path, tmp_path: Path) -> Path:
    path = copied(street, tmp_path / "own")
    made_masks(load_recipe(str(path)))
    return path


def queue_of(path: Path, count: int = COUNT) -> tuple[Any, list[Item], list[Asked]]:
    recipe = load_recipe(str(path))
    chosen = items(recipe)
    return recipe, chosen, stratified([doubtful(0, MaskReader(chosen[0].mask_path))], count)


def listed(to: Path) -> list[list[str]]:
    return [line.split("\t") for line in (to / LIST).read_text().splitlines()[1:]]


def test_the_files_hold_the_queue_and_nothing_else(own: Path, tmp_path: Path) -> None:
    recipe, chosen, queue = queue_of(own)
    handed = hand_over(recipe, chosen, queue, tmp_path / "to", "copy")
    (file,) = handed.files
    pictures = read_cvat_masks(file)
    assert [int(one.name) for one in pictures] == list(dict.fromkeys(box.frame for box in queue))
    shapes = {(int(one.name), shape.track) for one in pictures for shape in one.shapes}
    lines = listed(tmp_path / "to")
    assert [int(line[0]) for line in lines] == list(range(1, COUNT + 1))
    assert [(int(line[3]), int(line[4])) for line in lines] == [box.key[:2] for box in queue]
    assert shapes == {(int(line[3]), int(line[4])) for line in lines if line[6] != "nothing"}
    assert handed.boxes == len(shapes)
    assert handed.bare == COUNT - len(shapes)
    there = {path.name for path in (file.parent / "images").iterdir()}
    assert there == {line[2] for line in lines}
    assert handed.images == len(there)
    # Each shape is the box's own mask.
    masks, compared = MaskReader(chosen[0].mask_path), 0
    for one in pictures:
        for shape in one.shapes:
            if shape.pixels is not None:
                row = next(box.row for box in queue if box.key[:2] == (int(one.name), shape.track))
                index = masks.index_of(int(one.name))
                first = masks.boxes.rows(index).start
                assert np.array_equal(shape.pixels(), masks.instance(index, row - first))
                compared += 1
    assert 0 < compared < len(shapes)


def test_what_nobody_touched_changes_nothing_bit_for_bit(own: Path, tmp_path: Path) -> None:
    before = stores(own.parent / "out")
    to = tmp_path / "to"
    done = spotlabel("review", own, "--count", COUNT, "--export", "cvat", "--to", to, "--images", "none")
    assert done.returncode == 0, done.stderr
    assert f"in the order of {to / LIST}" in done.stdout
    for back in (to, to / "street" / "annotations.xml"):
        done = spotlabel("import", "masks", own, back, "--format", "cvat")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "nothing differs: no corrections"
    assert stores(own.parent / "out") == before
    assert not items(load_recipe(str(own)))[0].manual_path.exists()


def test_what_was_drawn_in_cvat_comes_back(own: Path, tmp_path: Path) -> None:
    recipe, chosen, queue = queue_of(own)
    (file,) = hand_over(recipe, chosen, queue, tmp_path / "to", "none").files
    text = file.read_text()
    corners = r'left="(\d+)" top="(\d+)" width="(\d+)" height="(\d+)"'
    mask = re.search(rf'<mask [^>]*rle="[^"]*" {corners}', text)
    assert mask is not None
    whole = f"0, {int(mask[3]) * int(mask[4])}"
    file.write_text(text.replace(mask[0], re.sub(r'rle="[^"]*"', f'rle="{whole}"', mask[0])))
    done = spotlabel("import", "masks", own, tmp_path / "to", "--format", "cvat")
    assert done.returncode == 0, done.stderr
    (only,) = read_manual(chosen[0].manual_path).values()
    assert only.decision == Decision.MASK
    assert only.mask.all()
    assert (only.x, only.y) == (int(mask[1]), int(mask[2]))
    assert only.key in {box.key for box in queue}


def test_decided_boxes_are_not_handed_over_and_drawn_ones_come_in_their_order(
    own: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(str(own))
    (item,) = items(recipe)
    assert spotlabel("audit", own, "--propose", "6").returncode == 0
    drawn = read_proposal(proposal_path(recipe.out))
    assert drawn is not None
    first = drawn.boxes[0]
    box = np.array(first.xyxy, np.float32)
    put_manual(item.manual_path, "street", [Correction(first.frame, first.track, box, Decision.UNKNOWN)])
    refused = spotlabel("review", own, "--proposed", "--export", "cvat", "--to", tmp_path / "to")
    assert refused.returncode == 2
    assert "manual" in refused.stderr  # its masks are not what the file would be compared with
    assert not (tmp_path / "to" / LIST).exists()
    made_masks(recipe)
    done = spotlabel("review", own, "--proposed", "--export", "cvat", "--to", tmp_path / "to")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "1 boxes are decided already and left out"
    found = [(int(line[0]), int(line[3]), int(line[4])) for line in listed(tmp_path / "to")]
    assert found == [(place, one.frame, one.track) for place, one in enumerate(drawn.boxes, 1)][1:]


def test_a_folder_in_use_is_left_alone(own: Path, tmp_path: Path) -> None:
    recipe, chosen, queue = queue_of(own)
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ExportError, match="holds something already"):
        hand_over(recipe, chosen, queue, tmp_path, "none")
    assert (tmp_path / "mine").read_text() == "mine"
    chosen[0].mask_path.unlink()
    with pytest.raises(StoreError, match="has no masks"):
        hand_over(recipe, chosen, queue, tmp_path / "to", "none")
    assert not [path for path in (tmp_path / "to").rglob("*") if path.is_file()]


def test_masks_that_the_format_cannot_name_are_counted(tmp_path: Path) -> None:
    images, gt = (tmp_path / "data" / "street" / part for part in ("img1", "gt"))
    for folder in (images, gt):
        folder.mkdir(parents=True)
    for number in (1, 2, 3):
        assert cv2.imwrite(str(images / f"{number:06}.jpg"), np.full((48, 64, 3), 90, np.uint8))
    tracks = {1: -1, 2: 7, 3: -1}
    (gt / "labels.txt").write_text(
        "car\nvan\nnothing\n"
    )  # a class called as the list calls what has no shape
    (gt / "gt.txt").write_text(
        "\n".join(f"{number},{track},9,9,20,16,1,3,1" for number, track in tracks.items())
    )
    path = tmp_path / "street.yaml"
    path.write_text(
        f"data: {tmp_path}/data\nout: {tmp_path}/out\ndataset: {{reader: mot}}\nlabeler: filled-box\n"
    )
    assert not run_sequence(load_recipe(str(path)), "street", False, lambda *_: None).failed
    recipe, chosen, queue = queue_of(path)
    handed = hand_over(recipe, chosen, queue, tmp_path / "to", "none")
    assert (handed.boxes, handed.bare, handed.nameless) == (3, 0, 2)


def test_where_all_is_decided_nothing_is_written(own: Path, tmp_path: Path) -> None:
    recipe, chosen, queue = queue_of(own, 2)
    said = [Correction(*box.key[:2], np.array(box.box, np.float32), Decision.UNKNOWN) for box in queue]
    put_manual(chosen[0].manual_path, "street", said)
    with pytest.raises(ExportError, match="all 2 boxes are decided already; `spotlabel relabel`"):
        hand_over(recipe, chosen, queue, tmp_path / "to", "none")
    assert not (tmp_path / "to").exists()


def test_options_that_go_together(own: Path, tmp_path: Path) -> None:
    for lone in (["--export", "cvat"], ["--to", tmp_path / "to"]):
        found = spotlabel("review", own, *lone)
        assert found.returncode == 2
        assert "--export and --to go together" in found.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    found = spotlabel("import", "masks", own, empty, "--format", "cvat")
    assert found.returncode == 2
    assert "has no <video>/annotations.xml" in found.stderr

"""Masks that are trained on are those of these frames, these boxes and this labeler (R24)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.labelled import labelled_sequences, stale_masks
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import tree

Tree = dict[str, Any]


@pytest.fixture
def made(tmp_path: Path) -> Tree:
    found = tree(tmp_path / "data", tmp_path / "out", "a", "b", length=4)
    for name in ("a", "b"):
        assert not run_sequence(build_recipe(found), name, False, lambda *_: None).failed
    return found


def test_whole_stores_fit(made: Tree) -> None:
    recipe = build_recipe(made)
    assert [found.sequence.name for found in labelled_sequences(recipe)] == ["a", "b"]
    assert [stale_masks(recipe, item) for item in items(recipe)] == ["", ""]


def test_the_evidence_need_not_be_there(made: Tree) -> None:
    shutil.rmtree(Path(made["out"]) / "evidence")
    assert labelled_sequences(build_recipe(made), ["a"])


def other_frame(made: Tree) -> Tree:
    image = sorted((Path(made["data"]) / "a" / "img1").iterdir())[2]
    cv2.imwrite(str(image), 255 - cv2.imread(str(image)))  # type: ignore[operator]
    return made


def other_boxes(made: Tree) -> Tree:
    boxes = Path(made["data"]) / "a" / "gt" / "gt.txt"
    boxes.write_text(boxes.read_text().replace(",14,12,", ",13,12,"))
    return made


def other_labeler(made: Tree) -> Tree:
    return {**made, "labeler": "knn", "evidence": {}}


def other_labeler_settings(made: Tree) -> Tree:
    return {**made, "evidence": {"mog2": {"warm_up_frames": 1}}}


def other_mask_settings(made: Tree) -> Tree:
    return {**made, "masks": {"min_blob": 99}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (other_frame, "frames changed"),
        (other_boxes, "annotations changed"),
        (other_labeler, r"labeler: mog2 \d+ -> knn \d+"),
        (other_labeler_settings, "settings.warm_up_frames: 2 -> 1"),
        (other_mask_settings, "settings.min_blob: 30 -> 99"),
    ],
)
def test_masks_of_other_inputs_are_refused(made: Tree, change: Callable[[Tree], Tree], told: str) -> None:
    recipe = build_recipe(change(made))
    with pytest.raises(StoreError, match=rf"^a: its masks are stale \(.*{told}.*run `spotlabel label`"):
        labelled_sequences(recipe, ["a"])
    (item,) = items(recipe, ["a"])
    assert re.search(told if "mask" in change.__name__ or "boxes" in change.__name__ else "stale|missing",
                     stale_masks(recipe, item))  # fmt: skip


def test_masks_of_another_video_are_refused(made: Tree) -> None:
    masks = Path(made["out"]) / "masks"
    shutil.copy(masks / "b.h5", masks / "a.h5")
    with pytest.raises(StoreError, match=r"a\.h5: holds masks of 'b', expected 'a'"):
        labelled_sequences(build_recipe(made), ["a"])

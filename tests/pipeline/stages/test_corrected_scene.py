"""Corrections of a rendered street, of which every pixel of every vehicle is known, under any mask rules."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from spotlabel.labelers.masks import MaskSettings
from spotlabel.pipeline.audit.judged import judged_boxes
from spotlabel.pipeline.datasets.synthetic import SceneFrames
from spotlabel.pipeline.manual import Correction, drop_manual, put_manual
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import Item, one_item
from tests.pipeline.stages.test_frame_masks import mask_settings

INDEX = 7


@dataclass(frozen=True)
class Street:
    """A street with evidence, and a person's masks of all vehicles of one frame: the exact ones."""

    recipe: Recipe
    item: Item
    annotations: Annotations
    exact: list[np.ndarray]
    corrections: list[Correction]

    def masks(self, chosen: MaskSettings, *, corrected: bool) -> tuple[MaskReader, list[np.ndarray]]:
        """A store by some rules, and its masks; opened anew for each."""
        drop_manual(self.item.manual_path, "street")
        if corrected:
            put_manual(self.item.manual_path, "street", self.corrections)
        recipe = dataclasses.replace(self.recipe, masks=chosen)
        make_masks(recipe, self.item, self.annotations, lambda *_: None)
        reader = MaskReader(self.item.mask_path)
        return reader, [reader.read(index) for index in range(len(reader))]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    scene = {"name": "street", "frames": 16, "width": 192, "height": 108, "density": 0.9}
    tree: dict[str, Any] = {
        "out": str(tmp_path_factory.mktemp("street")),
        "dataset": {"reader": "synthetic", "scenes": [scene]},
        "labeler": "filled-box",
    }
    recipe = build_recipe(tree)
    item = one_item(recipe, "street")
    outcome = run_sequence(recipe, "street", False, lambda *_: None)
    assert not outcome.error, outcome.error
    annotations, frames = item.sequence.load(), item.sequence.frames
    assert isinstance(frames, SceneFrames)
    truth, rows = frames.scene.truth(INDEX), annotations.boxes.rows(INDEX)
    tracks = truth.track_id.tolist()
    exact, corrections = [], []
    for row in range(rows.start, rows.stop):
        track = int(annotations.boxes.track_id[row])
        exact.append(truth.instances == tracks.index(track) + 1)
        box = annotations.boxes.xyxy[row].copy()
        corrections.append(Correction.of(int(frames.numbers[INDEX]), track, box, exact[-1]))
    assert len(exact) > 3
    return Street(recipe, item, annotations, exact, corrections)


@settings(max_examples=12)
@given(chosen=mask_settings())
def test_exact_masks_of_a_frame_stay_under_any_rules_and_change_no_other_frame(street: Street, chosen):
    _, made = street.masks(chosen, corrected=False)
    first = street.item.mask_path.read_bytes()
    reader, masks = street.masks(chosen, corrected=True)
    for index, (before, after) in enumerate(zip(made, masks, strict=True)):
        assert index == INDEX or (before == after).all()
    names, boxes = street.annotations.class_names, street.annotations.boxes
    first_row = boxes.rows(INDEX).start
    for row, exact in enumerate(street.exact):
        wanted = chosen.classes is None or names[boxes.class_id[first_row + row]] in chosen.classes
        assert reader.manual[first_row + row] == wanted
        if wanted:
            assert (masks[INDEX][exact] == 1).all()
            if reader.has_owners:
                assert (reader.instance(INDEX, row) == exact).all()
    reader.check_frames()
    street.masks(chosen, corrected=False)
    assert street.item.mask_path.read_bytes() == first


def test_the_audit_finds_how_far_filled_boxes_are_from_the_truth(street: Street):
    put_manual(street.item.manual_path, "street", street.corrections)
    recipe = dataclasses.replace(street.recipe, masks=MaskSettings())
    found = judged_boxes(recipe, street.item, lambda *_: None)
    assert [one.key for one in found] == [one.key for one in street.corrections]
    boxes = street.annotations.boxes
    alone = [
        (one, exact, box)
        for one, exact, box in zip(found, street.exact, boxes.at(INDEX).astype(int).tolist(), strict=True)
        if not any(_overlap(box, other) for other in boxes.at(INDEX).astype(int).tolist() if other != box)
        and not any(_overlap(box, region) for region in street.annotations.regions.at(INDEX).tolist())
    ]
    assert alone
    for one, exact, (x0, y0, x1, y1) in alone:
        assert one.iou == pytest.approx(exact.sum() / ((x1 - x0) * (y1 - y0)))


def _overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

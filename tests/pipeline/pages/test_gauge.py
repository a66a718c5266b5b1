"""The audit's figure on the review's page is the one that `spotlabel audit` gives."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from spotlabel.pipeline.audit.figures import audit
from spotlabel.pipeline.audit.judged import judged_boxes
from spotlabel.pipeline.audit.proposal import Population, Proposal, propose
from spotlabel.pipeline.manual import Correction, Decision, put_manual
from spotlabel.pipeline.pages.review.gauge import Gauge
from spotlabel.pipeline.pages.review.queue import Asked, boxes_by_key, from_list
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import Item, items
from tests.helpers.tuning import copied, made_masks, street_recipe, until


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_recipe(tmp_path_factory.mktemp("gauge"), "filled-box")


@pytest.fixture
def own(street: Path, tmp_path: Path) -> Path:
    path = copied(street, tmp_path / "own")
    made_masks(load_recipe(str(path)))
    return path


def drawn(path: Path, count: int = 24) -> tuple[Proposal, list[Asked], Item]:
    (item,) = items(load_recipe(str(path)))
    masks = MaskReader(item.mask_path)
    proposal = propose([Population.of(masks)], count, 0)
    keys = [(box.video, box.key) for box in proposal.boxes]
    return proposal, from_list(keys, {"street": boxes_by_key(0, masks)}), item


def gauge(path: Path, proposal: Proposal, queue: list[Asked]) -> Gauge:
    recipe = load_recipe(str(path))
    return Gauge(recipe, items(recipe), queue, proposal)


def decide(item: Item, queue: list[Asked], places: range) -> None:
    """Every third box unknown, every third halved, every third right."""
    masks = MaskReader(item.mask_path)
    for place in places:
        box = queue[place]
        index = masks.index_of(box.frame)
        plane = masks.instance(index, box.row - masks.boxes.rows(index).start).copy()
        if place % 3 == 1:
            plane[np.flatnonzero(plane.any(axis=1))[::2]] = 0
        edges = np.array(box.box, np.float32)
        said = Correction.of(box.frame, box.key[1], edges, plane)
        if place % 3 == 0:
            said = Correction(box.frame, box.key[1], edges, Decision.UNKNOWN)
        put_manual(item.manual_path, "street", [said])
    masks.close()


def same_as_the_audit(path: Path, proposal: Proposal, item: Item, told: dict[str, Any]) -> None:
    recipe = load_recipe(str(path))
    found = audit(judged_boxes(recipe, item, lambda *_: None), proposal)
    assert (told["proposed"], told["decided"], told["unsure"]) == (
        found.proposed, found.decided, found.cannot_tell,
    )  # fmt: skip
    first = found.estimates[0]
    assert (told["boxes"], told["mean"], told["low"], told["high"]) == (
        first.boxes, first.mean, first.low, first.high,
    )  # fmt: skip
    assert 0 < first.low < first.mean < 1


def test_the_figure_grows_as_the_audit_would_say(own: Path) -> None:
    proposal, queue, item = drawn(own)
    page = gauge(own, proposal, queue)
    told = page.told()
    assert (told["decided"], told["mean"], told["proposed"]) == (0, None, 24)
    for places in (range(8), range(8, 24)):
        decide(item, queue, places)
        told = page.told()
        same_as_the_audit(own, proposal, item, told)


def test_what_was_decided_before_the_last_relabel_counts_too(own: Path) -> None:
    proposal, queue, item = drawn(own)
    decide(item, queue, range(12))
    made_masks(load_recipe(str(own)))  # from here on these frames' masks hold corrections
    assert MaskReader(item.mask_path).manual.any()
    page = gauge(own, proposal, queue)
    first = page.told()
    assert first["decided"] == 12
    assert first["lacking"] == 0
    until(lambda: page.told()["pending"] == 0)
    same_as_the_audit(own, proposal, item, page.told())
    decide(item, queue, range(12, 20))
    same_as_the_audit(own, proposal, item, page.told())


def test_what_cannot_be_compared_is_told(own: Path) -> None:
    proposal, queue, item = drawn(own)
    decide(item, queue, range(6))
    made_masks(load_recipe(str(own)))
    item.evidence_path.unlink()
    page = gauge(own, proposal, queue)
    told = until(lambda: (found := page.told())["pending"] == 0 and found)
    assert told["lacking"] > 0
    assert "street: evidence is missing; run `spotlabel label` first" in told["problem"]
    stale = load_recipe(str(own), ["masks.close=9"])
    told = Gauge(stale, items(stale), queue, proposal).told()
    assert (told["lacking"], told["mean"]) == (6, None)
    assert "masks" in told["problem"]


def test_a_sample_of_more_videos_than_these_is_told(own: Path) -> None:
    proposal, queue, item = drawn(own)
    decide(item, queue, range(8))
    assert gauge(own, proposal, queue).told()["elsewhere"] == 0
    others = tuple(replace(box, video="other") for box in proposal.boxes[20:])
    wider = replace(proposal, boxes=proposal.boxes[:20] + others)
    told = gauge(own, wider, queue[:20]).told()
    assert (told["proposed"], told["elsewhere"], told["decided"]) == (24, 4, 8)


def test_work_that_ends_while_it_is_asked_about_leaves_nothing_lacking(own: Path) -> None:
    proposal, queue, item = drawn(own)
    decide(item, queue, range(6))
    page = gauge(own, proposal, queue)
    assert page.told()["boxes"] > 0
    (video,) = page._videos
    made, video._made = video._made, {}

    class Ending:
        """A thread whose last step falls between two questions."""

        def is_alive(self) -> bool:
            video._made = made
            return False

    video._thread = cast(threading.Thread, Ending())
    told = page.told()
    assert (told["pending"], told["lacking"]) == (0, 0)
    same_as_the_audit(own, proposal, item, told)

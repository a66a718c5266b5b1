"""Figures from corrections: on numbers worked out by hand, and from corrected videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.audit.figures import auc, audit, estimate, ranks, spearman
from spotlabel.pipeline.audit.judged import Judged, judged_boxes
from spotlabel.pipeline.audit.proposal import Proposal, Proposed, Stratum, proposal_path, read_proposal
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Correction, Decision, put_manual
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import one_item
from tests.helpers import exporting, importing
from tests.helpers.recipes import spotlabel, write

NAN = float("nan")


def judged(frame: int, iou: float, believability: float = 0.5, **more: object) -> Judged:
    facts = {"class_name": "car", "size": "small", "decision": Decision.MASK, **more}
    return Judged("a", (frame, 1, ()), iou=iou, believability=believability, **facts)


def proposal(*frames: list[int], boxes: tuple[int, ...]) -> Proposal:
    """A sample with the frames of each stratum, of so many boxes."""
    strata = tuple(
        Stratum("car", "small", "high", size, len(drawn)) for size, drawn in zip(boxes, frames, strict=True)
    )
    drawn = tuple(
        Proposed("a", frame, 0, 1, (0.0, 0.0, 1.0, 1.0), "car", stratum)
        for stratum, part in enumerate(frames)
        for frame in part
    )
    return Proposal(0, strata, drawn)


def test_each_stratum_counts_by_its_boxes_and_chosen_ones_do_not_count():
    sample = proposal([1, 2], [3, 4, 5, 6], boxes=(300, 100))
    found = audit([judged(1, 0.8), judged(2, 0.6), judged(3, 0.2), judged(4, 0.4), judged(99, 0.1)], sample)
    (every, by_class, small) = found.estimates
    assert every.mean == pytest.approx((300 * 0.7 + 100 * 0.3) / 400)
    assert (every.name, by_class.name, small.name) == ("all", "class car", "small")
    assert every.boxes == 4
    assert (every.low, every.high) == pytest.approx((0.5, 0.7))  # of 2 + 2 boxes the worst and the best draw
    assert (found.proposed, found.decided, found.covered) == (6, 4, 1)
    assert (found.chosen, found.chosen_mean) == (1, 0.1)


def test_what_cannot_be_compared_is_counted_and_leaves_its_group():
    sample = proposal([1, 2, 3, 4], [5], boxes=(10, 30))
    decided = [
        judged(1, 0.5),
        judged(2, NAN, decision=Decision.UNKNOWN),
        judged(3, NAN),
        judged(4, 0.9, class_name="bus"),
    ]
    found = audit(decided, sample)
    assert (found.cannot_tell, found.not_made, found.covered) == (1, 1, 0.25)
    assert {one.name: one.mean for one in found.estimates} == pytest.approx(
        {"all": 0.7, "class bus": 0.9, "class car": 0.5, "small": 0.7}
    )


def test_without_a_sample_there_is_no_figure_for_the_dataset():
    found = audit([judged(1, 0.25), judged(2, 0.75)], None)
    assert found.estimates == ()
    assert (found.chosen, found.chosen_mean, found.covered) == (2, 0.5, 0)
    assert np.isnan(audit([], None).chosen_mean)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Strata of known means: 95 of 100 intervals should hold the mean of all."""
    random = np.random.default_rng(1)
    sizes, centres = np.array([1000.0, 200.0]), np.array([0.8, 0.4])
    truth, held = (sizes * centres).sum() / sizes.sum(), 0
    for _ in range(60):
        strata = np.repeat([0, 1], [30, 20])
        iou = np.clip(centres[strata] + random.normal(0, 0.1, 50), 0, 1)
        found = estimate("all", iou, np.ones(50, np.bool_), strata, sizes)
        held += found.low <= truth <= found.high
    assert held >= 50


def test_the_same_corrections_give_the_same_interval():
    iou, strata = np.linspace(0, 1, 12), np.repeat([0, 1], 6)
    every = np.ones(12, np.bool_)
    first = estimate("all", iou, every, strata, np.array([5.0, 7.0]))
    assert first == estimate("all", iou, every, strata, np.array([5.0, 7.0]))


def test_believability_beside_iou():
    assert ranks(np.array([3.0, 1.0, 3.0, 7.0])).tolist() == [2.5, 1, 2.5, 4]
    rising = np.arange(10.0)
    assert spearman(rising, rising**3) == pytest.approx(1)
    assert spearman(rising, -rising) == pytest.approx(-1)
    assert np.isnan(spearman(rising[:9], rising[:9]))
    assert np.isnan(spearman(rising, np.ones(10)))
    assert auc(rising, rising >= 5) == 1
    assert auc(np.ones(10), rising >= 5) == 0.5
    assert auc(np.array([*rising[:9], NAN, 3.5]), np.array([*(rising[:9] > 3), True, False])) == 1
    assert np.isnan(auc(rising, rising >= 0))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exporting.labelled(tmp_path_factory.mktemp("audit"), "gate").parent


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    for name in ("data", "out"):
        shutil.copytree(made / name, tmp_path / name)
    write(tmp_path / "recipe.yaml", exporting.recipe_tree(tmp_path))
    return tmp_path


def correction(masks: MaskReader, index: int, row: int, change=lambda plane: plane) -> Correction:
    at = masks.boxes.rows(index).start + row
    plane = change(masks.instance(index, row))
    number, track = int(masks.numbers[index]), int(masks.boxes.track_id[at])
    return Correction.of(number, track, masks.boxes.xyxy[at].copy(), plane)


def put(root: Path, *corrections: Correction) -> None:
    put_manual(root / "out" / "manual" / "gate.h5", "gate", corrections)


@pytest.mark.parametrize("rule", ["tracks", "none"])
def test_made_masks_are_compared_as_they_are_without_corrections(root: Path, rule):
    masks = importing.masks(root)
    half = masks.instance(4, 0).copy()
    half[: int(np.flatnonzero(half.any(axis=1)).mean())] = False
    still = masks.boxes.xyxy[masks.boxes.rows(4).start + 2].copy()
    put(
        root,
        correction(masks, 4, 0, lambda _: half),
        correction(masks, 6, 1),
        correction(masks, 7, 1, np.zeros_like),
        Correction(5, 5, still, Decision.BACKGROUND),
        Correction(4, 3, masks.boxes.xyxy[masks.boxes.rows(3).start + 1].copy(), Decision.UNKNOWN),
    )
    importing.relabel(root)
    recipe = load_recipe(str(root / "recipe.yaml"), [f"masks.owners.rule={rule}"])
    found = {
        (one.key[0], one.key[1]): one
        for one in judged_boxes(recipe, one_item(recipe, "gate"), lambda *_: None)
    }
    assert {key: one.decision.name for key, one in found.items()} == {
        (5, 7): "MASK", (7, 3): "MASK", (8, 3): "BACKGROUND", (5, 5): "BACKGROUND", (4, 3): "UNKNOWN",
    }  # fmt: skip
    assert found[7, 3].iou == 1
    assert found[8, 3].iou == 0
    assert np.isnan(found[5, 5].iou)  # left unknown by the rules
    assert np.isnan(found[4, 3].iou)
    if rule == "tracks":
        assert found[5, 7].iou == pytest.approx(half.sum() / masks.instance(4, 0).sum())
    assert 0 < found[7, 3].believability <= 1
    assert (found[5, 7].class_name, found[7, 3].class_name, found[7, 3].size) == ("car", "bus", "small")


def test_without_evidence_there_is_nothing_to_compare(root: Path):
    put(root, correction(importing.masks(root), 4, 0))
    shutil.rmtree(root / "out" / "evidence")
    recipe = load_recipe(str(root / "recipe.yaml"))
    with pytest.raises(StoreError, match="gate: evidence is missing; run `spotlabel label` first"):
        judged_boxes(recipe, one_item(recipe, "gate"), lambda *_: None)


def test_from_a_sample_to_a_figure_on_the_command_line(root: Path):
    recipe = root / "recipe.yaml"
    early = spotlabel("audit", recipe)
    assert "no figure for the dataset: no sample was drawn" in early.stdout
    drawn = spotlabel("audit", recipe, "--propose", "8")
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert "8 of 12 boxes: " in drawn.stdout
    first = proposal_path(root / "out").read_bytes()
    assert spotlabel("audit", recipe, "--propose", "8").returncode == 0
    assert proposal_path(root / "out").read_bytes() == first
    path = importing.exported(root, "coco")
    accepted = spotlabel("import", "masks", recipe, path, "--format", "coco", "--confirm")
    assert "8 corrections kept" in accepted.stdout, accepted.stderr
    assert spotlabel("relabel", recipe).returncode == 0
    figures = spotlabel("audit", recipe)
    assert (figures.returncode, figures.stderr) == (0, "")
    assert "1.000  1.000-1.000" in figures.stdout
    assert "sample: 8 of 8 boxes decided" in figures.stdout
    assert "people chose" not in figures.stdout
    data = json.loads(spotlabel("audit", recipe, "--json").stdout)
    assert (data["decided"], data["estimates"][0]["mean"], data["auc"]) == (8, 1, None)
    refused = spotlabel("audit", recipe, "--propose", "8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "8 of its 8 boxes are decided; --replace draws another sample" in refused.stderr
    assert spotlabel("audit", recipe, "--propose", "8", "--replace").returncode == 0
    sample = read_proposal(proposal_path(root / "out"))
    assert sample is not None
    assert "manual" in {stratum.believability for stratum in sample.strata}


def test_confirming_needs_a_sample(root: Path):
    path = importing.exported(root, "coco")
    refused = spotlabel("import", "masks", root / "recipe.yaml", path, "--format", "coco", "--confirm")
    assert refused.returncode == 2
    assert "--confirm: no sample was drawn" in refused.stderr

"""Whether anything is to be done is told from what is remembered of stores, and never wrongly."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from spotlabel.pipeline import hashing
from spotlabel.pipeline.hashing import DigestCache
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.upkeep.facts import evidence_facts, mask_facts
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.recipes import tree


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """One labelled video, whose stores are old enough to be remembered."""
    monkeypatch.setattr(hashing, "_RACY_SECONDS", -1.0)
    made = build_recipe(tree(tmp_path / "data", tmp_path / "out", "a"))
    assert not run_sequence(made, "a", False, lambda *_: None).failed
    assert plan_item(made, items(made)[0]).idle
    return made


def test_no_store_is_opened_twice_to_tell_that_all_is_made(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("a store was opened"))
    assert plan_item(recipe, items(recipe)[0]).idle


def test_facts_are_those_of_the_store(recipe: Recipe) -> None:
    item = items(recipe)[0]
    for cache in (item.cache, DigestCache(recipe.out / "none.json")):
        evidence, masks = evidence_facts(item.evidence_path, cache), mask_facts(item.mask_path, cache)
        store = EvidenceReader(item.evidence_path)
        assert (evidence.fingerprint, evidence.content) == (store.fingerprint, store.content)
        assert evidence.without_pixels == 0
        assert masks.fingerprint == MaskReader(item.mask_path).fingerprint


@pytest.mark.parametrize("kind", ["evidence", "masks"])
def test_a_store_that_was_written_over_is_read_again(recipe: Recipe, kind: str) -> None:
    item = items(recipe)[0]
    path = item.evidence_path if kind == "evidence" else item.mask_path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert getattr(plan_item(recipe, items(recipe)[0]), kind).state == State.DAMAGED
    path.write_bytes(whole)
    assert plan_item(recipe, items(recipe)[0]).idle


def test_other_evidence_under_the_same_name_makes_masks_stale(recipe: Recipe) -> None:
    other = build_recipe({**recipe.tree, "evidence": {"mog2": {"warm_up_frames": 1}}})
    assert run_sequence(other, "a", False, lambda *_: None).evidence == "made"
    found = plan_item(recipe, items(recipe)[0])
    assert found.evidence.state == found.masks.state == State.STALE
    assert plan_item(other, items(other)[0]).idle


@pytest.mark.parametrize("noted", ["none", '{"other": 1}', "[1]"])
def test_what_another_version_noted_is_read_anew(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, noted: str
) -> None:
    item = items(recipe)[0]
    expected = mask_facts(item.mask_path, item.cache)
    item.cache.forget(item.mask_path)
    item.cache.remembered(item.mask_path, "MaskFacts", lambda _: noted)
    assert mask_facts(item.mask_path, item.cache) == expected

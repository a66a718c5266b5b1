"""A stage runs only if something it depends on changed, and says what (R14-R16)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import cv2
import h5py
import pytest

from spotlabel.labelers.baselines.opencv_subtractors import Mog2
from spotlabel.pipeline import hashing
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep import freshness
from spotlabel.pipeline.upkeep.freshness import State, compare
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_item
from tests.helpers.recipes import tree, video
from tests.helpers.stores import as_version


class Bench:
    """One small labelled video and what can be asked about it."""

    def __init__(self, root: Path) -> None:
        self.data, self.out = root / "data", root / "out"
        self.tree: dict[str, Any] = tree(self.data, self.out, "a")

    def plan(self, masks_only: bool = False, **changes: Any) -> Plan:
        recipe = build_recipe({**self.tree, **changes})
        return plan_item(recipe, items(recipe)[0], masks_only)

    def run(self, masks_only: bool = False, **changes: Any) -> tuple[str, str]:
        outcome = run_sequence(
            build_recipe({**self.tree, **changes}), "a", masks_only, lambda stage, done, total: None
        )
        return outcome.evidence, outcome.masks


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    assert made.run() == ("made", "made")
    return made


def test_nothing_changed(bench: Bench) -> None:
    assert bench.plan().idle
    assert bench.run() == ("fresh", "fresh")


def test_a_mask_threshold_runs_no_labeler(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mog2, "label", lambda *_: pytest.fail("a labeler ran"))
    changed = {"masks": {"min_blob": 99}}
    found = bench.plan(**changed)
    assert found.evidence.state == State.FRESH
    assert str(found.masks) == "stale (settings.min_blob: 30 -> 99)"
    assert bench.run(**changed) == ("fresh", "made")
    assert bench.run(masks_only=True) == ("fresh", "made")


def test_masks_without_owners_are_made_again_by_relabel_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mog2, "label", lambda *_: pytest.fail("a labeler ran"))
    path, evidence = bench.out / "masks" / "a.h5", bench.out / "evidence" / "mog2" / "a.h5"
    wanted, kept, mask = path.read_bytes(), evidence.read_bytes(), MaskReader(path).read(3)
    with h5py.File(path, "r+") as file:
        recorded = json.loads(file.attrs["fingerprint"])
        del recorded["settings"]["owners"]
        file.attrs["fingerprint"] = json.dumps(recorded | {"mask rules": 3})
    as_version(path, 2)
    old = MaskReader(path)
    assert (old.read(3) == mask).all()
    with pytest.raises(StoreError, match=r"does not say whose each pixel is.*relabel"):
        old.owners(3)
    assert bench.plan().masks.state == State.STALE
    assert bench.run(masks_only=True) == ("fresh", "made")
    assert path.read_bytes() == wanted
    assert evidence.read_bytes() == kept


def test_another_rule_for_owners_leaves_the_mask_as_it_is(bench: Bench) -> None:
    path = bench.out / "masks" / "a.h5"
    before = [MaskReader(path).read(index).tobytes() for index in range(12)]
    assert bench.run(masks={"owners": {"rule": "none"}}) == ("fresh", "made")
    after = MaskReader(path)
    assert not after.has_owners
    assert [after.read(index).tobytes() for index in range(12)] == before


def test_reverting_a_threshold_gives_the_first_bytes_back(bench: Bench) -> None:
    path = bench.out / "masks" / "a.h5"
    first = path.read_bytes()
    bench.run(masks={"preset": "paper"})
    assert path.read_bytes() != first
    bench.run()
    assert path.read_bytes() == first


def test_a_labeler_setting_makes_evidence_stale(bench: Bench) -> None:
    changed = {"evidence": {"mog2": {"warm_up_frames": 2, "history": 50}}}
    found = bench.plan(**changed)
    assert str(found.evidence) == "stale (settings.history: 500 -> 50)"
    assert str(found.masks) == "stale (evidence is stale)"
    assert bench.run(**changed)[0] == "made"


@pytest.mark.parametrize(
    ("patched", "value", "reason"),
    [
        ((Mog2, "version"), 99, "labeler: mog2 1 -> mog2 99"),
        ((freshness, "EVIDENCE_STAGE_VERSION"), 99, "evidence stage: 1 -> 99"),
        ((freshness, "library_versions"), lambda names: dict.fromkeys(names, "0"), r"libraries\..* -> 0"),
    ],
)
def test_other_code_or_libraries_make_evidence_stale(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, patched: tuple[object, str], value: object, reason: str
) -> None:
    monkeypatch.setattr(*patched, value)
    need = bench.plan().evidence
    assert need.state == State.STALE
    assert re.search(reason, need.reason)


def test_other_mask_rules_make_masks_stale(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "MASK_RULES_VERSION", 99)
    found = bench.plan()
    assert (found.evidence.state, found.masks.state) == (State.FRESH, State.STALE)
    assert "mask rules" in found.masks.reason


def test_a_changed_pixel_makes_evidence_stale_whatever_the_date(bench: Bench) -> None:
    frame = bench.data / "a" / "img1" / "000005.jpg"
    before = frame.stat()
    image = cv2.imread(str(frame))
    assert image is not None
    image[:4] = 0
    cv2.imwrite(str(frame), image)
    os.utime(frame, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert str(bench.plan().evidence) == "stale (frames changed)"
    assert bench.plan(masks_only=True).evidence.state == State.FRESH


def test_a_touched_file_changes_nothing(bench: Bench) -> None:
    for path in bench.data.rglob("*.*"):
        os.utime(path, (1, 1))
    assert bench.plan().idle


def test_a_missing_frame_makes_evidence_stale(bench: Bench) -> None:
    (bench.data / "a" / "img1" / "000012.jpg").unlink()
    assert bench.plan().evidence.state == State.STALE


def test_changed_boxes_make_masks_stale_alone(bench: Bench) -> None:
    gt = bench.data / "a" / "gt" / "gt.txt"
    gt.write_text(gt.read_text().replace(",14,12,", ",13,12,"))
    found = bench.plan()
    assert found.evidence.state == State.FRESH
    assert str(found.masks) == "stale (annotations changed)"


def test_reader_options_make_masks_stale(bench: Bench) -> None:
    changed = {"dataset": {"reader": "mot", "ignore": [[0, 0, 9, 9]]}}
    assert "reader options.ignore" in bench.plan(**changed).masks.reason


def test_a_damaged_store_is_made_again(bench: Bench) -> None:
    path = bench.out / "evidence" / "mog2" / "a.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:])
    found = bench.plan().evidence
    assert found.state == State.DAMAGED
    assert str(path) in found.reason
    assert bench.run() == ("made", "fresh")
    assert path.read_bytes() == whole


def test_another_output_folder_starts_empty_and_ends_equal(bench: Bench, tmp_path: Path) -> None:
    assert bench.run(out=str(tmp_path / "other")) == ("made", "made")
    for stage in ("evidence/mog2/a.h5", "masks/a.h5"):
        assert (tmp_path / "other" / stage).read_bytes() == (bench.out / stage).read_bytes()


def test_relabel_without_fitting_evidence_says_what_to_do(bench: Bench) -> None:
    def problem(**changes: Any) -> str:
        recipe = build_recipe({**bench.tree, **changes})
        return run_sequence(recipe, "a", True, lambda stage, done, total: None).error

    stale = problem(evidence={"mog2": {"warm_up_frames": 2, "history": 50}})
    assert stale == "evidence is stale (settings.history: 500 -> 50); run `spotlabel label` first"
    assert problem(labeler="knn") == "evidence is missing; run `spotlabel label` first"


def test_going_on_without_bad_frames_keeps_whole_evidence(bench: Bench) -> None:
    assert bench.plan(frames={"on_bad": "unknown"}).idle


def test_evidence_with_bad_frames_does_not_fit_the_policy_fail(bench: Bench) -> None:
    (bench.data / "a" / "img1" / "000005.jpg").write_bytes(b"")
    assert bench.run(frames={"on_bad": "unknown"}) == ("made", "made")
    assert str(bench.plan().evidence) == "stale (1 frames could not be read, and frames.on_bad is fail)"


def test_masks_name_the_evidence_they_were_made_from(bench: Bench) -> None:
    """Another setting that gives equal evidence still makes the masks again: they carry its provenance."""
    changed = {"evidence": {"mog2": {"warm_up_frames": 2, "history": 501}}}
    assert bench.run(**changed) == ("made", "made")
    masks = MaskReader(bench.out / "masks" / "a.h5")
    assert masks.structure("labeler_settings")["history"] == 501


def test_relabel_needs_neither_frames_nor_the_labelers_library(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "library_versions", lambda names: dict.fromkeys(names, "absent"))
    assert bench.plan(masks_only=True).evidence.state == State.FRESH


def test_labels_do_not_depend_on_where_the_data_lies(bench: Bench, tmp_path: Path) -> None:
    video(tmp_path / "moved", "a")
    made = bench.run(data=str(tmp_path / "moved"), out=str(tmp_path / "other"))
    assert made == ("made", "made")
    assert (tmp_path / "other" / "masks" / "a.h5").read_bytes() == (bench.out / "masks" / "a.h5").read_bytes()


def test_compare_names_every_part_that_differs() -> None:
    need = compare({"a": 1, "settings": {"x": 1, "y": 2}}, {"a": 2, "settings": {"x": 1, "y": 3}, "b": 1})
    assert need.reason == "a: 1 -> 2; b: None -> 1; settings.y: 2 -> 3"
    inner = compare({"settings": {"boxbg": {"x": 1, "y": 2}}}, {"settings": {"boxbg": {"x": 3, "y": 2}}})
    assert inner.reason == "settings.boxbg.x: 1 -> 3"
    assert compare({"a": 1}, {"a": 1}).state == State.FRESH
    assert compare({"frames": 1}, {}, trust=("frames",)).state == State.FRESH


def test_no_path_of_the_machine_is_in_a_store(bench: Bench, tmp_path: Path) -> None:
    for store in bench.out.rglob("*.h5"):
        assert str(tmp_path).encode() not in store.read_bytes()


def rot(path: Path) -> None:
    """A bit of a frame flipped below the file system: size and times stay what they were."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    with h5py.File(path, "r") as file:
        plane = file["evidence" if "evidence" in file else "foreground"]
        _, frame = plane.id.read_direct_chunk((len(plane) // 2, 0, 0))
    assert content.count(frame) >= 1
    content[content.index(frame) + len(frame) // 2] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files keep the digest that was first remembered, as if no time could tell a change."""
    monkeypatch.setattr(hashing, "_RACY_SECONDS", -1.0)
    monkeypatch.setattr(hashing, "_signature", lambda _: [0, 0, 0, 0])


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("kind", ["evidence", "masks"])
def test_silent_rot_is_found_by_a_deep_look(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path)
    bench.run()
    assert bench.plan().idle
    sound = {path: path.read_bytes() for path in bench.out.rglob("*.h5")}
    rot(next((bench.out / kind).rglob("*.h5")))
    assert bench.plan().idle
    assert getattr(bench.plan(verify="full"), kind).state == State.DAMAGED
    assert "made" in bench.run(verify="full")
    assert {path: path.read_bytes() for path in bench.out.rglob("*.h5")} == sound


@pytest.mark.usefixtures("unseen")
def test_rot_that_a_stage_meets_is_made_again_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run()
    assert bench.plan().idle
    rot(next((bench.out / "evidence").rglob("*.h5")))
    assert bench.run(masks={"min_blob": 99}) == ("made", "made")
    assert bench.plan(masks={"min_blob": 99}).idle


@pytest.mark.usefixtures("unseen")
def test_rot_is_told_where_no_labeler_may_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run()
    assert bench.plan().idle
    rot(next((bench.out / "evidence").rglob("*.h5")))
    recipe = build_recipe({**bench.tree, "masks": {"min_blob": 99}})
    for _ in range(2):
        outcome = run_sequence(recipe, "a", True, lambda *_: None)
        assert re.match("evidence is damaged .*run `spotlabel label` first", outcome.error)


@pytest.mark.parametrize("odd", ["text", [1], 5])
def test_an_odd_record_of_a_shared_student_is_stale(odd):
    assert compare({freshness.SHARED: odd}, {freshness.SHARED: {"a": "x"}}).state == State.STALE
    assert compare({freshness.SHARED: odd}, {}).state == State.STALE

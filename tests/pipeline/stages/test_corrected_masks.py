"""Corrections in the mask stage: of labelled videos with boxes that cross, from corrections to stores."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Correction, Decision, drop_manual, put_manual
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running import labelling
from spotlabel.pipeline.running.job import Outcome, run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.labelled import check_labelled
from spotlabel.pipeline.upkeep.plan import one_item, plan_item
from tests.helpers import exporting
from tests.helpers.recipes import spotlabel

FRAME = 4
"""Number of a frame in which the two objects overlap."""
RING, SQUARE, STILL = 7, 3, 5
"""Tracks: of a ring, of a square that crosses it, and of a box in which nothing moves."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    exporting.labelled(root, "a")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A labelled video of its own for each test."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "recipe.yaml").read_text().replace(str(made), str(tmp_path))
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path


def recipe(root: Path, *changes: str) -> Recipe:
    return load_recipe(str(root / "recipe.yaml"), changes)


def relabel(root: Path, *changes: str) -> Outcome:
    outcome = run_sequence(recipe(root, *changes), "a", True, lambda *_: None)
    assert not outcome.error, outcome.error
    return outcome


def store(root: Path) -> MaskReader:
    return MaskReader(root / "out" / "masks" / "a.h5")


def row_of(masks: MaskReader, track: int, frame: int = FRAME) -> tuple[int, int]:
    """Position of a frame, and row of a track in its boxes."""
    index = masks.index_of(frame)
    return index, masks.boxes.track_id[masks.boxes.rows(index)].tolist().index(track)


def box_of(masks: MaskReader, track: int, frame: int = FRAME) -> np.ndarray:
    index, row = row_of(masks, track, frame)
    return masks.boxes.at(index)[row].copy()


def put(root: Path, *corrections: Correction) -> None:
    put_manual(root / "out" / "manual" / "a.h5", "a", corrections)


def instance(root: Path, track: int, frame: int = FRAME) -> np.ndarray:
    masks = store(root)
    index, row = row_of(masks, track, frame)
    return masks.instance(index, row)


def drawn(root: Path, track: int = RING) -> tuple[Correction, np.ndarray]:
    """A person's mask of a box: its left half; and the whole plane."""
    box = box_of(store(root), track)
    x0, y0, x1, y1 = box.astype(int).tolist()
    plane = np.zeros(store(root).size, bool)
    plane[y0:y1, x0 : (x0 + x1) // 2] = True
    return Correction.of(FRAME, track, box, plane), plane


def test_a_persons_mask_is_in_the_store_and_nothing_else_has_changed(root: Path):
    before = store(root)
    correction, plane = drawn(root)
    put(root, correction)
    assert relabel(root).masks == "made"
    after, (index, row) = store(root), row_of(before, RING)
    assert (after.instance(index, row) == plane).all()
    for position in range(len(before)):
        if position != index:
            assert (after.read(position) == before.read(position)).all()
            if before.has_pixels(position):
                assert (after.owners(position) == before.owners(position)).all()
    table_row = before.boxes.rows(index).start + row
    assert after.manual.tolist() == [int(n == table_row) for n in range(len(after.manual))]
    quality = {name: column[table_row] for name, column in after.quality.items()}
    x0, y0, x1, y1 = box_of(before, RING).astype(int).tolist()
    assert quality["fill"] == pytest.approx(plane.sum() / ((x1 - x0 + 1) * (y1 - y0)))
    assert (quality["believed"], quality["believability"], quality["size"]) == (True, 1, 17)
    assert all(np.isnan(quality[name]) for name in ("contact", "agreement", "temporal", "won"))
    for name, column in before.quality.items():
        others = np.arange(len(column)) != table_row
        assert np.array_equal(after.quality[name][others], column[others], equal_nan=True)
    after.check_frames()


def test_other_thresholds_and_another_version_keep_it_and_dropping_it_gives_the_first_bytes(
    root: Path, monkeypatch
):
    first = (root / "out" / "masks" / "a.h5").read_bytes()
    correction, plane = drawn(root)
    put(root, correction)
    relabel(root)
    for changes in (["masks.min_fill=0.9"], ["masks.median=3"], ["masks.weak_boxes=keep"]):
        assert relabel(root, *changes).masks == "made"
        assert (instance(root, RING) == plane).all()
    with monkeypatch.context() as patch:
        patch.setattr("spotlabel.pipeline.upkeep.freshness.MASK_RULES_VERSION", 999)
        assert relabel(root).masks == "made"
    assert (instance(root, RING) == plane).all()
    drop_manual(root / "out" / "manual" / "a.h5", "a")
    relabel(root)
    assert (root / "out" / "masks" / "a.h5").read_bytes() == first


def test_another_labeler_keeps_it(root: Path):
    correction, plane = drawn(root)
    put(root, correction)
    outcome = run_sequence(
        recipe(root, "labeler=mog2", "evidence.mog2.warm_up_frames=2"), "a", False, lambda *_: None
    )
    assert (outcome.error, outcome.evidence, outcome.masks) == ("", "made", "made")
    assert (instance(root, RING) == plane).all()
    assert store(root).text("labeler") == "mog2"


def test_masks_are_stale_when_corrections_change_and_say_so(root: Path):
    loaded = recipe(root)
    item = one_item(loaded, "a")
    assert plan_item(loaded, item).masks.state == State.FRESH
    correction, _ = drawn(root)
    put(root, correction)
    need = plan_item(loaded, one_item(loaded, "a")).masks
    assert (need.state, need.reason) == (State.STALE, "manual changed")
    with pytest.raises(StoreError, match=r"stale \(manual changed\); run"):
        check_labelled(loaded, one_item(loaded, "a"))
    relabel(root)
    assert relabel(root).masks == "fresh"
    check_labelled(loaded, one_item(loaded, "a"))
    put(root, Correction(FRAME, RING, correction.box, Decision.UNKNOWN))
    assert plan_item(loaded, one_item(loaded, "a")).masks.reason == "manual changed"


def test_unknown_and_background_by_hand(root: Path):
    before = store(root)
    index, _ = row_of(before, RING)
    put(root, Correction(FRAME, RING, box_of(before, RING), Decision.BACKGROUND))
    put(root, Correction(FRAME, SQUARE, box_of(before, SQUARE), Decision.UNKNOWN))
    put(root, Correction(FRAME, STILL, box_of(before, STILL), Decision.BACKGROUND))
    relabel(root)
    after = store(root)
    assert not instance(root, RING).any()
    assert not instance(root, SQUARE).any()
    mask = after.read(index)
    x0, y0, x1, y1 = box_of(before, SQUARE).astype(int).tolist()
    assert (mask[y0:y1, x0:x1] == 255).all()
    x0, y0, x1, y1 = box_of(before, STILL).astype(int).tolist()
    assert (before.read(index)[y0:y1, x0:x1] == 255).all()
    assert (mask[y0:y1, x0:x1] == 0).all()
    assert after.believed[after.boxes.rows(index)].tolist() == [True, False, True]
    assert after.manual[after.boxes.rows(index)].tolist() == [3, 2, 3]


def test_without_owners_a_persons_mask_is_there_all_the_same(root: Path):
    correction, plane = drawn(root)
    put(root, correction)
    relabel(root, "masks.owners.rule=none")
    masks = store(root)
    assert not masks.has_owners
    assert (masks.read(masks.index_of(FRAME))[plane] == 1).all()
    assert masks.manual.sum() == 1


def test_in_the_warm_up_only_what_a_person_said_is_known(root: Path):
    box = box_of(store(root), SQUARE, 1)
    x0, y0, x1, y1 = box.astype(int).tolist()
    plane = np.zeros(store(root).size, bool)
    plane[y0 : y0 + 4, x0:x1] = True
    put(root, Correction.of(1, SQUARE, box, plane))
    relabel(root)
    mask = store(root).read(0)
    assert (mask[y0 : y0 + 4, x0:x1] == 1).all()
    assert (mask[y0 + 4 : y1, x0:x1] == 0).all()
    mask[y0:y1, x0:x1] = 255
    assert (mask == 255).all()


def test_corrections_of_boxes_that_moved_or_went_are_told_and_not_applied(root: Path):
    masks = store(root)
    boxes = {track: box_of(masks, track) for track in (RING, SQUARE, STILL)}
    put(
        root,
        Correction(FRAME, RING, boxes[RING] + np.float32(1), Decision.UNKNOWN),
        Correction(FRAME, 99, boxes[SQUARE], Decision.UNKNOWN),
        Correction(FRAME, -1, boxes[SQUARE], Decision.UNKNOWN),
        Correction(1000, STILL, boxes[STILL], Decision.UNKNOWN),
        Correction(FRAME, SQUARE, boxes[SQUARE], Decision.BACKGROUND),
    )
    outcome = relabel(root)
    assert (
        "of the corrections by hand 4 do not apply (no such frame: 1, box gone: 2, box moved: 1); "
        "`spotlabel manual list` names them"
    ) in outcome.remarks
    after = store(root)
    assert after.manual.sum() == Decision.BACKGROUND
    assert (instance(root, RING) & ~instance(root, SQUARE)).sum() == instance(root, RING).sum() > 0


def test_a_class_that_the_recipe_leaves_out_stays_left_out(root: Path):
    correction, _ = drawn(root, SQUARE)
    put(root, correction)
    outcome = relabel(root, "masks.classes=[car]")
    assert any("class is none of masks.classes: 1" in line for line in outcome.remarks)
    assert not store(root).manual.any()


def test_boxes_without_tracks_are_told_by_where_they_are(root: Path):
    """Track ids of -1 in the file: as datasets of detections have them."""
    gt = root / "data" / "a" / "gt" / "gt.txt"
    rows = [line.split(",") for line in gt.read_text().splitlines()]
    gt.write_text("\n".join(",".join([row[0], "-1", *row[2:]]) for row in rows))
    relabel(root)
    masks = store(root)
    index = masks.index_of(FRAME)
    box = masks.boxes.at(index)[1].copy()
    assert masks.boxes.track_id[masks.boxes.rows(index)].tolist() == [-1, -1, -1]
    put(root, Correction(FRAME, -1, box, Decision.BACKGROUND))
    relabel(root)
    assert store(root).manual[masks.boxes.rows(index)].tolist() == [0, 3, 0]


def test_boxes_that_nothing_tells_apart_are_told_and_not_guessed_at(root: Path):
    gt = root / "data" / "a" / "gt" / "gt.txt"
    rows = [line.split(",") for line in gt.read_text().splitlines()]
    without = [[row[0], "-1", *row[2:]] for row in rows]
    twins = [row for row in without if row[0] == str(FRAME) and rows[without.index(row)][1] == str(RING)]
    gt.write_text("\n".join(",".join(row) for row in [*without, *twins]))
    relabel(root)
    masks = store(root)
    boxes = masks.boxes.at(masks.index_of(FRAME))
    (twin,) = {tuple(box) for box in boxes.tolist() if boxes.tolist().count(box) == 2}
    put(root, Correction(FRAME, -1, np.array(twin, np.float32), Decision.BACKGROUND))
    outcome = relabel(root)
    assert any("several boxes with these edges and no track: 1" in line for line in outcome.remarks)
    assert not store(root).manual.any()


def test_a_run_without_work_repeats_which_corrections_do_not_apply(root: Path):
    put(root, Correction(FRAME, 99, np.array([0, 0, 5, 5], np.float32), Decision.UNKNOWN))
    said = "of the corrections by hand 1 do not apply (box gone: 1); `spotlabel manual list` names them"
    for _ in range(2):
        (outcome,) = labelling.relabel(recipe(root))
        assert said in outcome.remarks
    assert (outcome.evidence, outcome.masks) == ("fresh", "fresh")
    done = spotlabel("relabel", root / "recipe.yaml")
    assert done.stdout.splitlines()[1:] == [f"a: {said}"]


def test_a_damaged_store_of_corrections_fails_its_video_by_name(root: Path):
    correction, _ = drawn(root)
    put(root, correction)
    path = root / "out" / "manual" / "a.h5"
    path.write_bytes(path.read_bytes()[:-8])
    outcome = run_sequence(recipe(root), "a", True, lambda *_: None)
    assert outcome.error.startswith(f"{path}: corrections by hand cannot be read: damaged")
    assert path.exists()

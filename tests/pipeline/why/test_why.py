"""Why a mask is as it is: reasons on masks made by the rules, origins, and the command."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks import MaskSettings, make_mask, resolve
from spotlabel.pipeline.boxes import BoxFlag, BoxTable
from spotlabel.pipeline.cli.why_text import facts_table
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo
from spotlabel.pipeline.store.schema import table_crc32
from spotlabel.pipeline.terminal import SafeConsole
from spotlabel.pipeline.why.boxes import (
    box_index,
    box_reason,
    checked,
    frame_boxes,
    judged_boxes,
    owner_reason,
)
from spotlabel.pipeline.why.origin import find_origin
from spotlabel.pipeline.why.summary import box_lines, preset_of
from tests.helpers.recipes import spotlabel, tree, write

SIZE = (40, 60)
BOXES = np.array(
    [[0, 0, 10, 10], [5, 0, 20, 10], [30, 0, 40, 10], [30, 20, 50, 30], [55, 35, 60, 40]], np.float32
)
CLASSES = np.array([0, 0, 0, 1, 0], np.int16)
TRACKS = np.array([7, 8, -1, 9, 10])
REGION = np.array([[36, 0, 60, 10]], np.float32)


def evidence() -> np.ndarray:
    """Box 0 full, box 1 filled by a third (its part of box 0), box 2 full, box 3 full, box 4 empty."""
    values = np.zeros(SIZE, np.bool_)
    values[0:10, 0:10] = values[0:10, 30:40] = values[20:30, 30:50] = True
    return values


def store(
    path: Path, state: FrameState = FrameState.OK, values: np.ndarray | None = None, **changes: object
) -> MaskReader:
    """Masks of one frame with number 5, made by the rules."""
    rules = resolve("default", {"median": 0, "close": 0, "min_fill": 0.4, **changes})
    table = BoxTable(np.array([0, 5]), BOXES, CLASSES, TRACKS, np.array([0, 4, 3, 0, 0], np.uint8))
    attributes = {
        "class_names": ["car", "bus"], "settings": rules.model_dump(mode="json"), "native_origin": 0.0,
        "labeler": "mog2", "labeler_version": 1, "labeler_settings": {}, "camera": "fixed",
        "evidence_fingerprint": {"labeler": "mog2 1", "frames": "abc"},
    }  # fmt: skip
    info = StoreInfo("cam", SIZE, np.array([5]), {"evidence": "xyz", "mask rules": 1}, attributes)
    with MaskWriter.writing(path, info, table) as writer:
        if state in (FrameState.OK, FrameState.WARM_UP):
            _put(writer, rules, state, evidence() if values is None else values)
        else:
            writer.mark(0, state)
    return MaskReader(path)


def _put(writer: MaskWriter, rules: MaskSettings, state: FrameState, values: np.ndarray) -> None:
    wanted = rules.classes or ("car", "bus")
    chosen = np.isin(CLASSES, [("car", "bus").index(name) for name in wanted])
    made = make_mask(
        values, EvidenceKind.BINARY, BOXES, chosen, REGION, rules, warm_up=state == FrameState.WARM_UP
    )
    writer.put(0, made.mask, state, made.fill, made.believed)


def reasons(path: Path, state: FrameState = FrameState.OK, **changes: object) -> list[tuple[str, ...]]:
    return [box.why for box in frame_boxes(store(path, state, **changes), 0)]


def test_every_rule_is_named(tmp_path: Path) -> None:
    found = reasons(tmp_path / "m.h5", classes=["car"])
    # Box 0 is covered by box 1 where they overlap, but its own foreground there stands.
    assert found[0] == ("believed: filled 100%, masks.min_fill is 40%",)
    assert found[1] == ("unknown: filled 33.3%, masks.min_fill is 40%",)
    assert found[2] == (
        "believed: filled 100%, masks.min_fill is 40%",
        "unknown in part (40% of the box): in an ignore region",
    )
    assert found[3] == ("unknown: class bus is none of masks.classes (car)",)
    assert found[4] == ("unknown: filled 0%, masks.min_fill is 40%",)


def test_a_neighbour_that_is_not_believed_covers_background(tmp_path: Path) -> None:
    # Padded by 2 px, box 0 has background around its foreground, part of it inside box 1.
    masks = store(tmp_path / "m.h5", min_fill=0.34)
    assert frame_boxes(masks, 0)[0].unknown == 0
    wide = store(tmp_path / "w.h5", min_fill=0.34, box_padding=2)
    box = frame_boxes(wide, 0)[0]
    assert box.pixels == 12 * 12
    assert box.foreground == 100
    assert box.why[1].startswith("unknown in part (")
    assert box.why[1].endswith("overlapped by a box that is not believed or of another class")


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.sampled_from([None, ["car"], ["bus"]]))
def test_what_is_said_is_what_the_mask_holds(seed: int, padding: int, classes: list[str] | None) -> None:
    random = np.random.default_rng(seed)
    values = random.random(SIZE) < random.random((1, SIZE[1]))
    with tempfile.TemporaryDirectory() as folder:
        masks = store(Path(folder) / "m.h5", values=values, box_padding=padding, classes=classes)
        found = frame_boxes(masks, 0)
    for box in found:
        unknown = box.why[0].startswith("unknown")
        assert unknown == (not box.quality["believed"])
        if unknown:
            assert box.background == 0
        else:
            assert (box.unknown > 0) == (len(box.why) > 1)


def test_weak_boxes_that_are_kept(tmp_path: Path) -> None:
    found = reasons(tmp_path / "m.h5", weak_boxes="keep")
    assert found[1] == (
        "not believed, but kept (masks.weak_boxes is keep): filled 33.3%, masks.min_fill is 40%",
    )
    found = reasons(
        tmp_path / "p.h5", weak_boxes="keep", min_fill=0, classes=["bus"], other_classes="background"
    )
    said = "believed, as every box by these settings: filled 100%, the rest is background"
    assert found[3] == (said,)
    assert found[0] == ("background: class car is none of masks.classes (bus)",)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (FrameState.MISSING, "unknown: the frame is missing"),
        (FrameState.UNREADABLE, "unknown: the frame could not be read"),
        (FrameState.WARM_UP, "unknown: the labeler did not know the scene yet (frame is warm-up)"),
    ],
)
def test_whole_frames(tmp_path: Path, state: FrameState, said: str) -> None:
    assert set(reasons(tmp_path / "m.h5", state)) == {(said,)}
    for box in frame_boxes(MaskReader(tmp_path / "m.h5"), 0):
        assert box.unknown == box.pixels > 0
    if state == FrameState.WARM_UP:
        assert reasons(tmp_path / "k.h5", state, warm_up="keep")[0][0].startswith("believed")


def test_columns_with_a_least_value_are_told_by_it() -> None:
    rules = {"classes": None, "weak_boxes": "unknown", "min_fill": 0.2, "min_steadiness": 0.5, "min_blob": 30}
    quality = {"fill": 0.3, "believed": False, "steadiness": 0.25}
    assert box_reason("car", quality, rules) == "unknown: steadiness 25%, masks.min_steadiness is 50%"
    never_judged = {**quality, "steadiness": float("nan")}
    assert box_reason("car", never_judged, rules) == "unknown: filled 30%, but another rule says no"
    assert box_reason("car", {**quality, "steadiness": 1.0}, rules).endswith("but another rule says no")


def test_foreground_that_other_boxes_claim_too_is_told_with_what_decided() -> None:
    said = {"contested": 0.25, "won": 0.6, "by_depth": 0.9}
    assert owner_reason(said, {"owners": {"rule": "tracks"}}) == (
        "of its foreground 25% lies in other boxes too, it owns 60% of that: "
        "depth order decided 90% of it, outlines along the tracks 10%",
    )
    (simple,) = owner_reason(said, {"owners": {"rule": "lower-edge"}})
    assert simple.endswith("it owns 60% of that: masks.owners.rule is lower-edge")
    for alone in ({"contested": 0.0}, {"contested": float("nan")}, {}):
        assert owner_reason(alone, {}) == ()


def test_a_store_that_says_too_little_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    table = BoxTable(np.array([0, 0]), BOXES[:0], CLASSES[:0], TRACKS[:0], np.zeros(0, np.uint8))
    with MaskWriter.writing(
        path, StoreInfo("cam", SIZE, np.array([5]), {}, {"labeler": "x"}), table
    ) as writer:
        writer.mark(0, FrameState.MISSING)
    with pytest.raises(StoreError, match=r"m\.h5: does not say camera, class_names, .*spotlabel relabel"):
        checked(MaskReader(path))


def test_pixels_flags_and_quality(tmp_path: Path) -> None:
    box = frame_boxes(store(tmp_path / "m.h5"), 0)[2]
    assert (box.foreground, box.background, box.unknown, box.pixels) == (60, 0, 40, 100)
    assert (box.class_name, box.track, box.xyxy) == ("car", -1, (30, 0, 40, 10))
    assert box.flags == tuple(flag.name.lower() for flag in (BoxFlag.CLIPPED, BoxFlag.TRUNCATED) if flag.name)
    assert {"fill": 1.0, "believed": True}.items() <= box.quality.items()


def test_columns_of_later_versions_are_shown(tmp_path: Path) -> None:
    masks = store(tmp_path / "m.h5")
    copy = tmp_path / "copy.h5"
    copy.write_bytes(masks.path.read_bytes())
    with h5py.File(copy, "a") as file:
        file["quality/zeta"] = zeta = np.arange(5, dtype=np.float32)
        checksums = {**(masks.table_crc32 or {}), "quality/zeta": table_crc32("quality/zeta", zeta)}
        file.attrs["table_crc32"] = json.dumps(checksums)
    later = MaskReader(copy, sealed=True)  # its seal no longer fits, which is not the matter here
    assert later.quality["believed"].dtype == np.bool_
    assert frame_boxes(later, 0)[3].quality["zeta"] == 3


def test_settings_of_other_rules_still_give_counts(tmp_path: Path) -> None:
    masks = store(tmp_path / "m.h5")
    other = {**masks.structure("settings"), "of_the_future": 1}
    masks.close()
    with h5py.File(masks.path, "a") as file:
        file.attrs["settings"] = json.dumps(other)
    assert frame_boxes(MaskReader(masks.path, sealed=True), 0)[2].pixels == 100


def test_a_box_by_index_or_track(tmp_path: Path) -> None:
    masks = store(tmp_path / "m.h5")
    assert box_index(masks, 0, "3") == 3
    assert box_index(masks, 0, "track:9") == 3
    for text, said in (
        ("5", "no box 5; frame 5 has 5 boxes, 0 to 4"),
        ("-1", "no box -1"),
        ("track:77", "no box of track 77 in frame 5; tracks there: 7, 8, 9, 10"),
        ("track:-1", "no box of track -1"),
        ("first", "box 'first': expected a number or track:ID"),
    ):
        with pytest.raises(StoreError, match=said):
            box_index(masks, 0, text)


def test_settings_are_told_by_their_nearest_preset() -> None:
    paper = resolve("paper", {}).model_dump(mode="json")
    assert preset_of(paper) == "preset paper"
    assert preset_of({**paper, "median": 9}) == "preset paper with median=9"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 frames, labelled; its recipe is r.yaml."""
    root = tmp_path_factory.mktemp("why")
    recipe = write(root / "r.yaml", tree(root / "data", root / "out", "a", masks={"median": 3}))
    assert spotlabel("label", recipe, "--quiet").returncode == 0
    return root


def why(*arguments: object) -> Any:
    done = spotlabel("why", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_command_for_store_frame_and_box(labelled: Path) -> None:
    path = labelled / "out/masks/a.h5"
    whole = why(path)
    assert (whole["sequence"], whole["labeler"], whole["boxes"]["count"]) == ("a", "mog2", 12)
    assert whole["frames"] == {"missing": 0, "ok": 10, "unreadable": 0, "warm_up": 2, "unannotated": 0}
    frame = why(path, 8)
    assert frame["frame"] == {"number": 8, "state": "ok"}
    (box,) = frame["boxes"]
    assert why(path, 8, "track:1")["boxes"] == [box]
    names = {(part["stage"], part["name"]) for part in frame["made_from"]}
    assert {
        ("evidence", "frames"),
        ("evidence", "labeler"),
        ("masks", "annotations"),
        ("masks", "settings"),
    } <= names
    told = spotlabel("why", path, 8, 0).stdout
    for text in ("frame     8 of a: ok, 1 boxes", "0: ", "track 1", box["why"][0], "preset default", "mog2 1",
                 str(labelled / "out/evidence/mog2/a.h5")):  # fmt: skip
        assert text in told
    assert "12: 10 ok, 2 warm-up" in spotlabel("why", path).stdout


def test_a_recipe_that_fits_and_one_that_does_not(labelled: Path) -> None:
    path, recipe = labelled / "out/masks/a.h5", labelled / "r.yaml"
    fits = why(path, "--recipe", recipe)
    assert fits["now"]["masks"] == fits["now"]["evidence"] == {"state": "fresh", "reason": ""}
    assert not any(part["change"] for part in fits["made_from"])
    other = why(path, 8, 0, "--recipe", recipe, "--set", "masks.median=9")
    assert other["now"]["masks"] == {"state": "stale", "reason": "settings.median: 3 -> 9"}
    assert [part["name"] for part in other["made_from"] if part["change"]] == ["settings"]
    told = spotlabel("why", path, "--recipe", recipe, "--set", "labeler=knn").stdout
    assert "mog2 1 -> knn 1" in told
    assert "evidence missing" in told


def test_evidence_that_is_gone_is_told(labelled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "masks" / "a.h5"
    copy.parent.mkdir()
    copy.write_bytes((labelled / "out/masks/a.h5").read_bytes())
    found = find_origin(MaskReader(copy))
    assert found.evidence.startswith("not there (")
    assert found.verdict is None
    evidence_file = tmp_path / "evidence/mog2/a.h5"
    evidence_file.parent.mkdir(parents=True)
    evidence_file.write_bytes(b"damaged")
    assert find_origin(MaskReader(copy)).evidence.startswith("cannot be read: ")
    evidence_file.write_bytes((labelled / "out/evidence/mog2/a.h5").read_bytes())
    assert find_origin(MaskReader(copy)).evidence == str(evidence_file)


def refused(*arguments: object) -> str:
    """The one line of a refusal."""
    done = spotlabel("why", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line


def test_refusals_are_one_line(labelled: Path, tmp_path: Path) -> None:
    path = labelled / "out/masks/a.h5"
    assert "no frame 99; it holds 1 to 12" in refused(path, 99)
    assert "no box 7; frame 8 has 1 boxes, 0 to 0" in refused(path, 8, 7)
    assert "not a sealed spotlabel store" in refused(labelled / "r.yaml")
    assert "run `spotlabel label`" in refused(tmp_path / "none.h5")
    assert "expected spotlabel-mask" in refused(labelled / "out/evidence/mog2/a.h5")
    damaged = tmp_path / "d.h5"
    damaged.write_bytes(path.read_bytes()[:-1])
    assert "damaged" in refused(damaged)
    assert "--set changes the recipe" in refused(path, "--set", "masks.median=5")
    other = write(tmp_path / "other.yaml", tree(tmp_path / "data", tmp_path / "out", "c"))
    assert "the recipe has no sequence 'a'" in refused(path, "--recipe", other)


def test_each_reason_of_a_box_has_a_line(tmp_path: Path) -> None:
    box = frame_boxes(store(tmp_path / "m.h5", other_classes="unknown", classes=["car"]), 0)[2]
    assert len(box.why) == 2
    out = io.StringIO()
    SafeConsole(file=out, width=200).print(facts_table(box_lines(box)))
    told = [line.strip() for line in out.getvalue().splitlines()]
    assert f"why      {box.why[0]}" in told
    assert box.why[1] in told


def test_only_boxes_that_the_rules_had_to_believe_are_judged(tmp_path: Path) -> None:
    assert judged_boxes(store(tmp_path / "a.h5", classes=["car"])).tolist() == [True, True, True, False, True]
    warm = store(tmp_path / "b.h5", FrameState.WARM_UP, warm_up="unknown")
    assert not judged_boxes(warm).any()

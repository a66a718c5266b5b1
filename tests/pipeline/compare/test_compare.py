"""Two label versions beside each other: literal masks, properties, stores, and the command."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spotlabel.labelers.base import Evidence
from spotlabel.labelers.baselines.opencv_subtractors import Mog2
from spotlabel.pipeline.atomic import replacing
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.compare.changes import Changes, frame_changes
from spotlabel.pipeline.compare.figures import figures, most_changed
from spotlabel.pipeline.compare.objects import object_numbers
from spotlabel.pipeline.compare.report import report_data, write_report
from spotlabel.pipeline.compare.stores import CompareError, Comparison, compare_stores, match_boxes
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo
from tests.helpers.recipes import environment, spotlabel, tree, write

WHOLE = np.array([[0, 0, 6, 4]])
A = np.array(
    [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 255, 255], [0, 0, 0, 0, 255, 255]], np.uint8
)
B = np.array([[1, 1, 0, 0, 0, 0], [1, 1, 0, 255, 0, 1], [0, 0, 0, 0, 255, 1], [0, 0, 0, 0, 0, 255]], np.uint8)

MASKS = arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 255]))
CORNERS = st.tuples(st.integers(0, 7), st.integers(0, 5), st.integers(0, 7), st.integers(0, 5))
RECTS = st.lists(CORNERS, max_size=4).map(lambda found: np.array(found, np.int64).reshape(-1, 4))


def only(changes: Changes) -> dict[str, float]:
    """Every figure of the one place."""
    names = ("pixels", "gained", "lost", "to_unknown", "from_unknown", "foreground_a", "foreground_b",
             "unknown_a", "unknown_b", "iou", "difference")  # fmt: skip
    assert len(changes) == 1
    return {name: getattr(changes, name)[0].item() for name in names}


def test_counted_by_hand() -> None:
    whole, inside = frame_changes(A, B, WHOLE)
    assert (whole.counts == inside.counts).all()
    found = only(whole)
    assert found == {
        "pixels": 24, "gained": 1, "lost": 3, "to_unknown": 1, "from_unknown": 2, "foreground_a": 8,
        "foreground_b": 6, "unknown_a": 4, "unknown_b": 3, "iou": 4 / 8,
        "difference": pytest.approx((4 * 1 + 3 * 0.5) / 24),
    }  # fmt: skip


def test_a_box_counts_its_own_pixels_only() -> None:
    _, inside = frame_changes(A, B, np.array([[0, 0, 2, 2], [2, 0, 4, 2], [4, 2, 6, 4], [3, 3, 3, 4]]))
    assert inside.pixels.tolist() == [4, 4, 4, 0]
    assert inside.lost.tolist() == [0, 3, 0, 0]
    # The third box is unknown in A, the fourth has no pixels: nothing to compare.
    assert inside.iou[:2].tolist() == [1, 0]
    assert np.isnan(inside.iou[2:]).all()
    assert inside.difference[3] == 0


@settings(max_examples=60)
@given(MASKS, RECTS)
def test_a_version_beside_itself_has_not_changed(mask: np.ndarray, rects: np.ndarray) -> None:
    for changes in frame_changes(mask, mask, rects):
        has_foreground = changes.foreground_a > 0
        assert (changes.iou[has_foreground] == 1).all()
        assert np.isnan(changes.iou[~has_foreground]).all()
        for name in ("difference", "gained", "lost", "to_unknown", "from_unknown"):
            assert not getattr(changes, name).any()


@settings(max_examples=60)
@given(MASKS, MASKS, RECTS)
def test_exchanging_the_versions_exchanges_the_figures(
    a: np.ndarray, b: np.ndarray, rects: np.ndarray
) -> None:
    for forth, back in zip(frame_changes(a, b, rects), frame_changes(b, a, rects), strict=True):
        np.testing.assert_array_equal(forth.iou, back.iou)
        np.testing.assert_array_equal(forth.difference, back.difference)
        for one, other in (("gained", "lost"), ("to_unknown", "from_unknown"), ("unknown_a", "unknown_b")):
            assert (getattr(forth, one) == getattr(back, other)).all()
        assert (forth.pixels == back.pixels).all()
        assert ((forth.difference >= 0) & (forth.difference <= 1)).all()


@settings(max_examples=40)
@given(MASKS, MASKS)
def test_unchanged_is_the_only_thing_without_difference(a: np.ndarray, b: np.ndarray) -> None:
    whole, _ = frame_changes(a, b, np.zeros((0, 4), np.int64))
    assert (whole.difference[0] == 0) == np.array_equal(a, b)


def test_masks_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        frame_changes(A, B[:2], WHOLE)
    with pytest.raises(ValueError, match="mask values must be"):
        frame_changes(A, np.full_like(A, 7), WHOLE)


def boxes(*corners: tuple[float, ...]) -> np.ndarray:
    return np.array(corners, np.float32).reshape(-1, 4)


def test_boxes_are_paired_by_coordinates() -> None:
    a, b, c = (0, 0, 2, 2), (1, 1, 3, 3), (2.5, 0, 4, 4)
    assert match_boxes(boxes(a, b), boxes(a, b)).tolist() == [[0, 0], [1, 1]]
    assert match_boxes(boxes(a, b, c), boxes(c, a)).tolist() == [[0, 1], [2, 0]]
    assert match_boxes(boxes(a, a, b), boxes(b, a, a, a)).tolist() == [[0, 1], [1, 2], [2, 0]]
    assert match_boxes(boxes(), boxes(a)).shape == (0, 2)


def store(
    path: Path, masks: dict[int, np.ndarray], corners: np.ndarray, tracks: bool = True, believed: bool = True
) -> MaskReader:
    """A mask store with the same boxes in every frame."""
    n = len(corners)
    table = BoxTable(
        np.arange(len(masks) + 1) * n,
        np.tile(corners, (len(masks), 1)),
        np.zeros(n * len(masks), np.int16),
        np.tile(np.arange(n) if tracks else np.full(n, -1), len(masks)).astype(np.int64),
        np.zeros(n * len(masks), np.uint8),
    )
    size = next(iter(masks.values())).shape
    info = StoreInfo("cam", size, np.array(list(masks)), {"frames": "x"}, {"class_names": ["car"]})
    with MaskWriter.writing(path, info, table) as writer:
        for index, mask in enumerate(masks.values()):
            writer.put(index, mask, FrameState.OK, np.ones(n, np.float32), np.full(n, believed))
    return MaskReader(path)


def test_stores_are_matched_by_frame_number_and_box(tmp_path: Path) -> None:
    a = store(tmp_path / "a.h5", {1: A, 2: A, 3: A}, boxes((0, 0, 4, 2), (4, 2, 6, 4)))
    b = store(
        tmp_path / "b.h5", {2: B, 3: A, 9: B}, boxes((4, 2, 6, 4), (0, 0, 4, 2), (1, 1, 2, 2)), believed=False
    )
    part = compare_stores(a, b)
    assert part.numbers.tolist() == [2, 3]
    assert (part.lone_frames, part.lone_boxes) == ((1, 1), (0, 2))
    assert part.frame_of.tolist() == [0, 0, 1, 1]
    assert part.box_b.tolist() == [1, 0, 1, 0]
    assert part.boxes.lost.tolist() == [3, 0, 0, 0]
    found = figures("cam", [part])
    assert (found.boxes, found.compared, found.mean_iou, found.below_half) == (4, 2, (4 / 7 + 1) / 2, 0)
    assert (found.believed_only_a, found.believed_only_b) == (4, 0)
    assert (found.foreground_a, found.unknown_a) == (16 / 24, 8 / 24)


def test_other_sizes_and_other_frames_are_refused(tmp_path: Path) -> None:
    a = store(tmp_path / "a.h5", {1: A}, boxes())
    with pytest.raises(CompareError, match=r"6x4 px in .*a\.h5 and 6x2 px in .*b\.h5"):
        compare_stores(a, store(tmp_path / "b.h5", {1: A[:2]}, boxes()))
    with pytest.raises(CompareError, match="no frame number is in both"):
        compare_stores(a, store(tmp_path / "c.h5", {2: A}, boxes()))


def test_nothing_to_compare_has_no_figures(tmp_path: Path) -> None:
    part = compare_stores(*(store(tmp_path / f"{n}.h5", {1: A}, boxes()) for n in "ab"))
    found = figures("cam", [part])
    assert (found.boxes, found.mean_iou, found.below_half, found.unknown_a) == (0, None, None, None)
    assert most_changed([part], 5) == []


def changed(tmp_path: Path, tracks: bool) -> Comparison:
    corners = boxes((0, 0, 2, 2), (2, 0, 4, 2), (4, 2, 6, 4))
    a = store(tmp_path / "a.h5", {1: A, 2: A}, corners, tracks)
    return compare_stores(a, store(tmp_path / "b.h5", {1: A, 2: B}, corners, tracks))


def test_an_object_is_among_the_most_changed_once(tmp_path: Path) -> None:
    corners = boxes((2, 0, 4, 2), (4, 2, 6, 4))
    for tracks in (True, False):  # without tracks the boxes go on by overlap
        a = store(tmp_path / f"a{tracks}.h5", {1: A, 2: A}, corners, tracks)
        b = store(tmp_path / f"b{tracks}.h5", {1: A, 2: B}, corners, tracks)
        chosen = most_changed([compare_stores(a, b)], 9)
        assert [box for _, box in chosen] == [2, 3]
    assert len(most_changed([part for part, _ in chosen], 3)) == 3  # two videos, two objects each
    assert len(most_changed([part for part, _ in chosen], 9)) == 4


def test_boxes_without_tracks_go_on_by_overlap() -> None:
    xyxy = boxes(
        (0, 0, 10, 10), (50, 0, 60, 10),  # frame 0
        (52, 0, 62, 10), (3, 0, 13, 10), (0, 20, 9, 29),  # frame 1; the last is tracked
        (6, 0, 16, 10), (80, 0, 90, 10),  # frame 2
        (6, 0, 16, 10),  # frame 4: gone in between
    )  # fmt: skip
    tracks = np.array([-1, -1, -1, -1, 7, -1, -1, -1])
    found = object_numbers(np.array([0, 0, 1, 1, 1, 2, 2, 4]), xyxy, tracks)
    assert found.tolist() == [-1, -2, -2, -1, 7, -1, -3, -4]
    assert object_numbers(np.zeros(0, np.int64), boxes(), np.zeros(0, np.int64)).shape == (0,)


def test_tables_have_a_row_per_box_and_frame(tmp_path: Path) -> None:
    part = changed(tmp_path, tracks=True)
    data = report_data([part, part], {"remarks": []})
    written = write_report(tmp_path / "made", [part], data)
    assert [path.name for path in written] == ["compare.json", "boxes.csv", "frames.csv"]
    assert json.loads(written[0].read_text())["pooled"]["boxes"] == 2 * 6
    rows = list(csv.DictReader(written[1].open()))
    assert len(rows) == 6
    (row,) = (row for row in rows if row["frame"] == "2" and row["track"] == "1")
    assert (row["class"], row["x0"], row["iou"], row["lost"], row["to_unknown"]) == (
        "car",
        "2",
        "0.0000",
        "3",
        "1",
    )
    (unknown,) = (row for row in rows if row["frame"] == "2" and row["track"] == "2")
    assert (unknown["iou"], unknown["from_unknown"], unknown["unknown_a"]) == ("", "2", "4")
    assert [row["lost"] for row in csv.DictReader(written[2].open())] == ["0", "3"]
    assert not list((tmp_path / "made").glob(".*"))


_KILLED = """
import os, signal, sys
from pathlib import Path
from spotlabel.pipeline.atomic import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_comparison_has_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "boxes.csv")], env=environment(), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (tmp_path / ".mine.partial").touch()
    (left,) = tmp_path.glob(".boxes.csv.*.partial")
    with replacing(tmp_path / "frames.csv"):
        write_report(tmp_path, [], {})
        assert not left.exists()
        assert len(list(tmp_path.glob(".frames.csv.*.partial"))) == 1  # its writer lives
    assert list(tmp_path.glob(".*")) == [tmp_path / ".mine.partial"]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos labelled twice, with other mask rules."""
    root = tmp_path_factory.mktemp("compare")
    for name, masks in (("old", {"median": 3}), ("new", {"preset": "paper", "median": 9})):
        recipe = write(root / f"{name}.yaml", tree(root / "data", root / name, "a", "b", masks=masks))
        assert spotlabel("label", recipe, "--quiet").returncode == 0
    return root


def test_command_tells_and_draws(labelled: Path) -> None:
    done = spotlabel("compare", labelled / "old.yaml", labelled / "new.yaml")
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("mean IoU", "a ", "b ", "all ", "sheet.png"))
    assert "not what its recipe" not in done.stderr
    assert "equal in A and B" not in done.stderr  # the settings are not
    folder = labelled / "new" / "compare"
    sheet = cv2.imread(str(folder / "sheet.png"))
    assert sheet.shape[1] > 1000  # two objects beside each other
    assert len((folder / "boxes.csv").read_text().splitlines()) == 1 + 24
    data = json.loads((folder / "compare.json").read_text())
    assert 0 < data["pooled"]["mean_iou"] < 1
    assert data["a"]["masks"]["median"] == 3


def test_command_prints_json_and_stale_masks(labelled: Path) -> None:
    folder = labelled / "elsewhere"
    done = spotlabel(
        "compare", labelled / "old.yaml", labelled / "new.yaml", "--json", "--only", "a", "--top", "0",
        "--set-b", "masks.median=5", "--out", folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (remark,) = json.loads(done.stdout)["remarks"]
    assert remark in done.stderr
    assert "a: masks in B are not what its recipe asks for: stale (settings.median: 9 -> 5)" in remark
    assert not (folder / "sheet.png").exists()


def test_a_version_beside_its_copy_has_no_picture(labelled: Path) -> None:
    (labelled / "copy" / "masks").mkdir(parents=True)
    for name in ("a", "b"):
        content = (labelled / "old" / "masks" / f"{name}.h5").read_bytes()
        (labelled / "copy" / "masks" / f"{name}.h5").write_bytes(content)
    recipe = labelled / "old.yaml"
    done = spotlabel("compare", recipe, recipe, "--set-b", f"out={labelled / 'copy'}", "--json")
    pooled = json.loads(done.stdout)["pooled"]
    assert (pooled["mean_iou"], pooled["below_half"], pooled["gained"], pooled["lost"]) == (1, 0, 0, 0)
    assert not (labelled / "copy" / "compare" / "sheet.png").exists()
    assert "evidence is missing" in done.stderr
    assert "equal in A and B" not in done.stderr  # and so are the masks


def test_a_difference_that_no_input_makes_is_told(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on another processor: what goes in is equal, and a frame's evidence comes out otherwise."""
    usual = Mog2.label

    def otherwise(self: Mog2, clip: Any) -> Any:
        for number, evidence in enumerate(usual(self, clip)):
            yield Evidence(evidence.values & (number != 10), evidence.warm_up)

    monkeypatch.setattr(Mog2, "label", otherwise)
    recipe, there = labelled / "old.yaml", labelled / "there"
    run_sequence(load_recipe(str(recipe), [f"out={there}"]), "a", False, lambda stage, done, total: None)
    done = spotlabel("compare", recipe, recipe, "--set-b", f"out={there}", "--json", "--only", "a")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    counts = [data["pooled"][name] for name in ("gained", "lost", "to_unknown", "from_unknown")]
    (remark,) = data["remarks"]
    assert remark == (
        f"a: frames, boxes, settings and versions are equal in A and B; {sum(counts)} of {12 * 48 * 64} "
        "pixels differ all the same, as they may where another processor made them (docs/processors.md)"
    )
    assert remark in done.stderr
    assert sum(counts) > 0


def refused(*arguments: object) -> str:
    """The one line of a refusal."""
    done = spotlabel("compare", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_refusals_are_one_line(labelled: Path, tmp_path: Path) -> None:
    old, new = labelled / "old.yaml", labelled / "new.yaml"
    assert "give B an output folder of its own" in refused(old, old, "--set-b", "masks.median=5")
    line = refused(old, new, "--set-b", f"out={tmp_path / 'empty'}")
    assert line.startswith("error: a: has no masks in B")
    assert "(and 1 more like it); run `spotlabel label`" in line
    other = write(tmp_path / "other.yaml", tree(tmp_path / "data", tmp_path / "out", "c"))
    assert "no video is in both: A has a, b, B has c" in refused(old, other)
    assert "no such sequence" in refused(old, new, "--only", "z")
    (tmp_path / "bad" / "masks").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "bad" / "masks" / f"{name}.h5").write_bytes(b"damaged")
    assert "not a sealed spotlabel store" in refused(old, new, "--set-b", f"out={tmp_path / 'bad'}")

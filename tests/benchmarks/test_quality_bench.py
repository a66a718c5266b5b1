"""The measurements behind docs/quality.md: boxes as people draw them, and tables, on literal arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.drawn import interpolated, jittered
from benchmarks.quality.measured import Measured, measured, recipe_for
from benchmarks.quality.report import table
from benchmarks.quality.tables import BOX, DRAWN, TABLES, Data, Method, Split
from spotlabel.pipeline.boxes import RegionTable
from spotlabel.pipeline.datasets.derived import derived_table
from spotlabel.pipeline.measures.pixels import PixelCounts
from spotlabel.pipeline.measures.quality import Quality
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.store import MaskReader

SIZE = (100, 200)


def annotated(*frames: list[list[float]]) -> Annotations:
    arrays = [np.array(rows, np.float32).reshape(-1, 4) for rows in frames]
    nothing = RegionTable.static(np.zeros((0, 4), np.float32), len(frames))
    return Annotations(derived_table(arrays), nothing, ("object",))


def test_boxes_between_drawn_ones_are_interpolated_and_tracks_end_where_they_end() -> None:
    # Two objects; the lower one brakes in frame 2 and leaves after frame 4, no multiple of the stride.
    upper = [[10 + i, 10, 30 + i, 20] for i in range(6)]
    lower = [[10, 50, 30, 70], [14, 50, 34, 70], [14, 50, 34, 70], [18, 50, 38, 74], [20, 50, 40, 70]]
    given = annotated(*([upper[i], *lower[i : i + 1]] for i in range(6)))
    found = interpolated(3)(given, SIZE).boxes
    assert [found.at(i)[0].tolist() for i in range(6)] == upper
    expected = [lower[0], [38 / 3, 50, 98 / 3, 214 / 3], [46 / 3, 50, 106 / 3, 218 / 3], lower[3], lower[4]]
    np.testing.assert_allclose([found.at(i)[1] for i in range(5)], expected, rtol=1e-6)
    assert interpolated(1)(given, SIZE).boxes.xyxy.tolist() == given.boxes.xyxy.tolist()


def test_jitter_is_a_share_of_the_side_seeded_and_cut_at_the_border() -> None:
    given = annotated(*[[[50, 40, 150, 60]]] * 4000)
    found = jittered(0.1)(given, SIZE).boxes.xyxy
    moves = found - given.boxes.xyxy
    assert moves.std(axis=0) == pytest.approx([10, 2, 10, 2], rel=0.05)
    assert abs(np.corrcoef(moves.T) - np.eye(4)).max() < 0.06  # edges move independently
    assert np.array_equal(found, jittered(0.1)(given, SIZE).boxes.xyxy)
    wild = jittered(1.0)(given, SIZE).boxes.xyxy
    assert (wild[:, :2] <= wild[:, 2:]).all()
    assert wild.min() >= 0
    assert (wild <= [200, 100, 200, 100]).all()
    assert jittered(0.1)(annotated([], []), SIZE).boxes.xyxy.shape == (0, 4)


def figures(name: str, tp: int, split: Split) -> Measured:
    """F of tp / 100 and unknown pixels left out 1; boundary F .5."""
    counts = PixelCounts(tp=tp, fp=100 - tp, fn=100 - tp)
    known = PixelCounts(tp=tp)
    return Measured(split, Quality(f"baseline/{name}", 1, counts, known, 0.25, 0.75, 0.5, 0.0))


def test_a_table_has_a_mean_behind_each_split() -> None:
    column = [figures("a", 90, Split.CHOOSE), figures("b", 80, Split.CHOOSE), figures("c", 70, Split.REPORT)]
    assert table({"x": column}, "F").splitlines() == [
        "|  | x |",
        "| --- | --- |",
        "| a | .9000 / 1.0000 / .5000 |",
        "| b | .8000 / 1.0000 / .5000 |",
        "| **mean, rules may be chosen on them** | .8500 / 1.0000 / .5000 |",
        "| c | .7000 / 1.0000 / .5000 |",
        "| **mean, only reported** | .7000 / 1.0000 / .5000 |",
    ]
    assert table({"x": column[:1]}, "IoU").splitlines()[2] == "| a | .2500 / .7500 / .5000 |"


def test_no_two_kinds_of_labels_share_stores(tmp_path: Path) -> None:
    """Stores that two columns made in turn would be made again in every run."""
    recipes: dict[str, tuple[str, Method]] = {}
    for one in TABLES.values():
        for data in one.data:
            for method in one.methods:
                out = str(recipe_for(tmp_path, tmp_path, data, method).out)
                assert recipes.setdefault(out, (data.name, method)) == (data.name, method)


def test_no_sequence_is_in_both_splits() -> None:
    for one in TABLES.values():
        splits = {data.folder or str(data.options): data.split for data in one.data}
        assert len(splits) == len(one.data)
        assert set(splits.values()) == set(Split)


@pytest.mark.parametrize("method", [BOX, DRAWN[1]], ids=lambda method: method.title)
def test_labels_are_made_once_and_measured(tmp_path: Path, method: Method) -> None:
    scene = {"name": "s", "frames": 12, "width": 160, "height": 96, "noise": 0}
    data = Data("tiny", Split.CHOOSE, 2, {"reader": "synthetic", "scenes": [scene]})
    (first,) = measured(tmp_path, tmp_path, data, method, 1)
    assert (first.row, first.split, first.quality.frames) == ("s", Split.CHOOSE, 6)
    assert 0.3 < first.quality.counts.f_measure <= 1
    (store,) = tmp_path.glob("tiny/*/masks/*.h5")
    made = store.stat().st_mtime_ns
    assert measured(tmp_path, tmp_path, data, method, 1) == [first]
    assert store.stat().st_mtime_ns == made
    assert MaskReader(store).text("labeler") == method.labeler

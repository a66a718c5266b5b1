"""The measurements behind docs/believability.md, on literal arrays."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.believability.fit import fit, separation, turned_unknown
from benchmarks.believability.judged import Judged, box_ious
from benchmarks.believability.tracks import link
from spotlabel.labelers.masks.believability import combine, parts_of
from spotlabel.pipeline.datasets.cdnet_truth import EvaluatedFrame
from spotlabel.pipeline.datasets.derived import derived_table


def judged(iou: np.ndarray, **columns: np.ndarray) -> Judged:
    ones = np.ones(len(iou), np.float32)
    names = ("fill", "contact", "agreement", "own_fill", "temporal", "believability")
    return Judged(
        "a", "b", iou, dict.fromkeys(names, ones) | {"overlap": 0 * ones, "size": 99 * ones} | columns
    )


def test_boxes_are_linked_by_the_largest_overlap_and_new_ones_get_new_ids():
    frames = [
        np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32),
        np.array([[22, 0, 32, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32),
        np.zeros((0, 4), np.float32),
        np.array([[50, 50, 60, 60]], np.float32),
    ]
    assert link(derived_table(frames)).tolist() == [0, 1, 1, 0, 2, 3]


def test_iou_counts_valid_pixels_inside_the_box_alone():
    mask, truth = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.bool_)
    mask[0:10, 0:5] = 1
    truth[0:10, 0:10] = True
    valid = np.ones((20, 20), np.bool_)
    valid[0:10, 8:10] = False
    rects = np.array([[0, 0, 10, 10], [12, 12, 20, 20]], np.int64)
    found = box_ious(mask, EvaluatedFrame(0, truth, valid), rects)
    assert found.tolist() == pytest.approx([5 / 8, float("nan")], nan_ok=True)


def test_separation_and_shares_below_a_threshold():
    belief, iou = np.array([0.1, 0.3, 0.6, 0.9]), np.array([0.0, 0.8, 0.4, 0.9])
    assert separation(belief, iou) == pytest.approx(3 / 4)
    assert turned_unknown(belief, iou, 0.5) == (0.5, 0.5)
    assert np.isnan(separation(belief, np.ones(4)))


def test_the_fit_finds_the_weights_that_made_the_iou():
    rng = np.random.default_rng(4)
    columns = {name: rng.random(300).astype(np.float32) for name in ("fill", "agreement", "temporal")}
    made = {"fill": 0.9, "contact": 0.0, "agreement": 0.4, "temporal": 0.7, "own": 0.0, "size": 0.0}
    group = judged(np.zeros(300), **columns)
    iou = combine(parts_of(group.quality), made).astype(np.float64)
    found = fit([judged(iou, **columns)])
    assert {name: found[name] for name in columns} == pytest.approx(
        {name: made[name] for name in columns}, abs=0.01
    )

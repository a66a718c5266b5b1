"""Pixel counts by CDnet's rules, on arrays small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.datasets.cdnet_truth import foreground_and_valid
from spotlabel.pipeline.measures.pixels import PixelCounts, count

GT = np.array([[0, 50, 85, 170, 255, 255]], np.uint8)
EVERYWHERE = np.ones(GT.shape, bool)


def test_cdnet_values() -> None:
    foreground, valid = foreground_and_valid(GT, EVERYWHERE)
    assert foreground.tolist() == [[False, False, False, False, True, True]]
    assert valid.tolist() == [[True, True, False, False, True, True]]


def test_roi_takes_pixels_out() -> None:
    _, valid = foreground_and_valid(GT, np.array([[True, False, True, True, True, False]]))
    assert valid.tolist() == [[True, False, False, False, True, False]]


def test_six_labels_counted_by_hand() -> None:
    mask = np.array([[1, 1, 1, 1, 1, 0]], np.uint8)  # static, shadow, outside, unknown, found, missed
    counts = count(mask, *foreground_and_valid(GT, EVERYWHERE))
    assert counts == PixelCounts(tp=1, fp=2, fn=1, tn=0)
    assert counts.precision == pytest.approx(1 / 3)
    assert counts.recall == pytest.approx(1 / 2)
    assert counts.f_measure == pytest.approx(2 / 5)
    assert counts.iou == pytest.approx(1 / 4)


def test_unknown_mask_pixels() -> None:
    mask = np.array([[255, 1, 0, 0, 255, 1]], np.uint8)
    foreground, valid = foreground_and_valid(GT, EVERYWHERE)
    assert count(mask, foreground, valid) == PixelCounts(tp=1, fp=1, fn=1, tn=1)
    assert count(mask, foreground, valid, unknown="skip") == PixelCounts(tp=1, fp=1)


def test_ratios_without_anything_to_count() -> None:
    nothing = PixelCounts(tn=7)
    assert all(math.isnan(x) for x in (nothing.precision, nothing.recall, nothing.f_measure, nothing.iou))
    missed = PixelCounts(fn=3)
    assert math.isnan(missed.precision)
    assert (missed.recall, missed.f_measure, missed.iou) == (0, 0, 0)
    invented = PixelCounts(fp=3)
    assert math.isnan(invented.recall)
    assert (invented.precision, invented.f_measure, invented.iou) == (0, 0, 0)


@pytest.mark.parametrize("value", [2, 254])
def test_other_mask_values_are_refused(value: int) -> None:
    mask = np.full(GT.shape, value, np.uint8)
    with pytest.raises(ValueError, match=rf"got \[{value}\]"):
        count(mask, *foreground_and_valid(GT, EVERYWHERE))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"mask \(2, 6\), truth \(1, 6\)"):
        count(np.zeros((2, 6), np.uint8), *foreground_and_valid(GT, EVERYWHERE))


@given(st.lists(st.tuples(st.sampled_from([0, 1, 255]), st.booleans(), st.booleans()), min_size=2))
def test_counts_add_up(pixels: list[tuple[int, bool, bool]]) -> None:
    mask = np.array([[p[0] for p in pixels]], np.uint8)
    truth = np.array([[p[1] for p in pixels]])
    valid = np.array([[p[2] for p in pixels]])
    whole = count(mask, truth, valid)
    assert whole.tp + whole.fp + whole.fn + whole.tn == valid.sum()
    left, right = (count(mask[:, s], truth[:, s], valid[:, s]) for s in (slice(1), slice(1, None)))
    assert left + right == whole

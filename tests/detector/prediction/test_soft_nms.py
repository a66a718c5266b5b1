"""Soft-NMS: overlaps lower scores, classes stay apart, copies vanish."""

import numpy as np
import pytest

from spotlabel.detector.prediction.soft_nms import soft_nms


def test_soft_nms_lowers_overlapping_scores_of_a_class():
    rows = np.array(
        [[0, 0, 10, 10, 0.8, 0], [0, 0, 10, 5, 0.6, 0], [0, 0, 10, 10, 0.7, 1], [50, 50, 60, 60, 0.1, 0]]
    )
    found = soft_nms(rows)
    lowered = 0.6 * np.exp(-(0.5**2) / 0.5)
    assert found[:, 4] == pytest.approx([0.8, 0.7, lowered, 0.1])
    assert found[:, 5].tolist() == [0, 1, 0, 0]
    assert soft_nms(rows, keep=2)[:, 4] == pytest.approx([0.8, 0.7])
    assert soft_nms(rows, floor=0.2)[:, 4] == pytest.approx([0.8, 0.7, lowered])
    assert soft_nms(rows[[2, 0, 3, 1]]) == pytest.approx(found)
    assert soft_nms(np.zeros((0, 6))).shape == (0, 6)


def test_soft_nms_drops_copies_below_the_floor():
    rows = np.tile([[0.0, 0, 10, 10, 0.9, 0]], (9, 1))
    scores = soft_nms(rows)[:, 4]
    # Every further copy is lowered by exp(-2) once more.
    assert scores == pytest.approx(0.9 * np.exp(-2.0 * np.arange(4)))

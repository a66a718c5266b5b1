"""Boxes that overlap: pairs and groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.owners import claims
from spotlabel.labelers.masks.owners.claims import claiming_boxes, groups, overlapping_pairs
from spotlabel.labelers.masks.owners.depth import Standing, front_to_back, vote

RECT = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 6), st.integers(1, 6))


def test_touching_boxes_share_no_pixel() -> None:
    rects = np.array([[0, 0, 4, 4], [4, 0, 8, 4], [3, 3, 5, 5], [0, 4, 3, 6]], np.int64)
    assert overlapping_pairs(rects) == [(0, 2), (1, 2)]
    assert overlapping_pairs(rects[:0]) == []


@given(st.lists(RECT, max_size=14), st.integers(1, 60))
def test_pairs_are_those_with_common_pixels_however_many_are_looked_at(
    boxes: list[tuple[int, int, int, int]], at_once: int
) -> None:
    rects = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.int64).reshape(-1, 4)
    planes = np.zeros((len(rects), 16, 16), np.bool_)
    for plane, (x0, y0, x1, y1) in zip(planes, rects.tolist(), strict=True):
        plane[y0:y1, x0:x1] = True
    wanted = [
        (i, j) for i in range(len(rects)) for j in range(i + 1, len(rects)) if (planes[i] & planes[j]).any()
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "PAIRS_AT_ONCE", at_once)
        assert overlapping_pairs(rects) == wanted


def test_groups_join_what_is_linked_by_others() -> None:
    assert groups([(4, 6), (0, 2), (2, 9), (1, 6)]) == [[0, 2, 9], [1, 4, 6]]


def test_boxes_that_are_not_believed_claim_nothing_unless_they_are_kept() -> None:
    rects = np.array([[0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4], [2, 2, 2, 4]], np.int64)
    selected, believed = np.array([True, True, False, True]), np.array([True, False, True, True])
    weak = MaskSettings(weak_boxes="unknown", min_fill=0.2)
    assert claiming_boxes(selected, believed, rects, weak).tolist() == [True, False, False, False]
    assert claiming_boxes(selected, believed, rects, MaskSettings()).tolist() == [True, True, False, False]


def test_the_lower_edge_is_nearer_and_a_box_called_occluded_is_farther() -> None:
    near, far = Standing(10, 50, False), Standing(5, 45, False)
    assert vote(near, far) == -vote(far, near) == 5 / 40
    assert vote(Standing(0, 100, False), Standing(0, 40, False)) == 0.5
    assert vote(near._replace(occluded=True), far) == 5 / 40 - 0.5
    assert vote(near._replace(occluded=True), far._replace(occluded=True)) == 5 / 40


def test_every_box_comes_after_those_in_front_of_it() -> None:
    rects = [[0, 0, 9, bottom] for bottom in (10, 40, 30, 20)]
    assert front_to_back([0, 1, 2, 3], {}, rects) == [1, 2, 3, 0]
    assert front_to_back([0, 1, 2, 3], {(0, 1): 0.2, (1, 2): 0.1, (2, 3): -0.4}, rects) == [3, 0, 1, 2]
    assert front_to_back([0, 1, 2], {(0, 1): 0.0, (0, 2): -0.1}, rects) == [1, 2, 0]


def test_a_circle_is_broken_at_the_lowest_lower_edge() -> None:
    rects = [[0, 0, 9, bottom] for bottom in (10, 40, 30)]
    assert front_to_back([0, 1, 2], {(0, 1): 1.0, (1, 2): 1.0, (0, 2): -1.0}, rects) == [1, 2, 0]

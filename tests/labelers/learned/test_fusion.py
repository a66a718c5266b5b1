"""Evidence and network put together: what each mends of the other."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.labelers.learned.agreement import best, open_sides, overlap, piece, reach, share
from spotlabel.labelers.learned.fusion import BoxPair, Trust, fused, hull, judged

ALL = (True, True, True, True)
H, W = 40, 60


def rectangle(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    plane = np.zeros((H, W), np.bool_)
    plane[y0:y1, x0:x1] = True
    return plane


WHOLE = rectangle(0, H, 0, W)
CAR = rectangle(0, 30, 0, W)
SHADOW = rectangle(30, H, 0, W)
LOW = rectangle(0, 36, 0, W)
DOOR = rectangle(8, 20, 20, 40)


def pair(evidence: np.ndarray | None, taught: np.ndarray, sides=ALL) -> BoxPair:
    return BoxPair(evidence, taught.astype(np.uint8) * 255, sides)


BOTH, NETWORK, EVIDENCE = Trust(True, True), Trust(True, False), Trust(False, True)


def mask(evidence: np.ndarray | None, taught: np.ndarray, trust: Trust = BOTH) -> np.ndarray:
    return fused(pair(evidence, taught), trust) > 127


def test_reach_counts_the_open_sides():
    assert reach(WHOLE, ALL) == 1
    assert reach(np.zeros((H, W), np.bool_), ALL) == 0
    gap = rectangle(0, H, 12, W)  # 8 % of 60 and 2 px are 6.8; the other 5.2 are a third of 25 %
    assert reach(gap, ALL) == pytest.approx(1 - 5.2 / 15)
    assert reach(gap, (False, True, True, True)) == 1
    assert reach(rectangle(0, H, 30, W), ALL) == 0


def test_sides_on_the_border_of_the_image_are_not_open():
    assert open_sides(np.s_[0:10, 5:20], (40, 20)) == (True, False, False, True)
    assert open_sides(np.s_[3:40, 0:20], (40, 30)) == (False, True, True, False)


def test_piece_share_and_overlap():
    parts = rectangle(0, 10, 0, 30) | rectangle(20, 30, 0, 10)
    assert piece(parts) == 0.75
    assert piece(parts & False) == 0
    assert share(CAR, WHOLE) == 0.75
    assert share(CAR, WHOLE & False) == 0
    assert overlap(CAR, rectangle(15, H, 0, W)) == pytest.approx(15 / 40)


def test_a_shadow_that_the_network_leaves_out_goes():
    taught = rectangle(0, 34, 0, W)  # it reaches the lower side as boxes go
    assert mask(WHOLE, taught)[:33].all()
    assert not mask(WHOLE, taught)[36:].any()


def test_a_door_that_looks_like_the_road_is_filled():
    assert not mask(WHOLE & ~DOOR, WHOLE & ~DOOR)[10:18, 24:36].any()
    assert mask(WHOLE & ~DOOR, WHOLE)[DOOR].all()


def test_a_network_that_sees_a_part_only_does_not_cut_the_object():
    assert mask(WHOLE, rectangle(5, 15, 5, 20)).all()


def test_what_lies_outside_the_hull_of_good_evidence_is_another_object():
    inner = rectangle(0, H, 0, 45)
    assert not mask(inner, WHOLE)[:, 50:].any()
    assert mask(inner, WHOLE, NETWORK).all()


def test_evidence_that_says_nothing_is_no_evidence():
    for evidence in (None, WHOLE & False, rectangle(0, 4, 0, 4)):
        assert np.array_equal(mask(evidence, LOW), LOW)


def test_where_it_says_nothing_a_network_counts_that_fills_the_box_and_can_be_relied_on():
    little, part = rectangle(0, 4, 0, 4), rectangle(5, 15, 5, 20)
    assert np.array_equal(mask(little, part), little)
    assert np.array_equal(mask(little, WHOLE, EVIDENCE), little)


def test_the_network_outweighs_evidence_that_is_not_reliable():
    flood, part = WHOLE, rectangle(0, H, 10, 46)  # far from two sides
    assert not mask(flood, part, NETWORK)[:, 48:].any()
    assert mask(flood, part)[:, 48:].all()


def test_evidence_is_judged_by_boxes_that_the_network_fills():
    good, bad = pair(CAR, WHOLE), pair(rectangle(0, 20, 0, W), WHOLE)
    part = pair(WHOLE, rectangle(5, 15, 5, 20))
    assert judged([good] * 3) == BOTH
    assert judged([good, bad, bad]) == NETWORK
    assert judged([good] * 3 + [part] * 3) == BOTH
    assert judged([bad] * 3 + [part] * 3) == NETWORK


def test_a_network_that_fills_few_boxes_or_almost_none_cannot_be_relied_on():
    good, bad = pair(CAR, WHOLE), pair(rectangle(0, 20, 0, W), WHOLE)
    part = pair(WHOLE, rectangle(5, 15, 5, 20))
    for pairs in ([good] * 2, [bad] * 2, [bad] * 3 + [part] * 4, [pair(None, WHOLE)] * 9, []):
        assert judged(pairs) == EVIDENCE


def test_of_several_readings_the_whole_one_counts_that_agrees():
    sides = (False, True, True, True)
    part, whole, other = (plane.astype(np.uint8) * 255 for plane in (rectangle(0, 9, 0, W), LOW, WHOLE))
    assert best([part], None, sides) is part
    assert best([part, other], LOW, sides) is other
    assert best([part, other, whole], LOW, sides) is whole
    assert best([part, other, whole], None, sides) is other


def test_the_hull_closes_what_is_hollow():
    assert np.array_equal(hull(CAR), CAR)
    corners = rectangle(0, 1, 0, 1) | rectangle(H - 1, H, W - 1, W) | rectangle(0, 1, W - 1, W)
    filled = hull(corners)
    assert filled[0].all()
    assert filled[H - 1, W - 1]
    assert not filled[H - 1, 0]

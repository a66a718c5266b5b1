"""Evidence and network put together: what each mends of the other."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.labelers.learned.agreement import open_sides, overlap, piece, reach, share
from spotlabel.labelers.learned.fusion import BoxPair, fused, hull, reliable

ALL = (True, True, True, True)
H, W = 40, 60


def rectangle(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    plane = np.zeros((H, W), np.bool_)
    plane[y0:y1, x0:x1] = True
    return plane


WHOLE = rectangle(0, H, 0, W)
CAR = rectangle(0, 30, 0, W)
SHADOW = rectangle(30, H, 0, W)
DOOR = rectangle(8, 20, 20, 40)


def pair(evidence: np.ndarray | None, taught: np.ndarray, sides=ALL) -> BoxPair:
    return BoxPair(evidence, taught.astype(np.uint8) * 255, sides)


def mask(evidence: np.ndarray | None, taught: np.ndarray, is_reliable: bool = True, sides=ALL) -> np.ndarray:
    return fused(pair(evidence, taught, sides), is_reliable) > 127


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
    assert mask(inner, WHOLE, is_reliable=False).all()


def test_evidence_that_says_nothing_is_no_evidence():
    for evidence in (None, WHOLE & False, rectangle(0, 4, 0, 4)):
        assert np.array_equal(mask(evidence, CAR), CAR)


def test_the_network_outweighs_evidence_that_is_not_reliable():
    flood, part = WHOLE, rectangle(0, 30, 10, 30)  # far from three sides: alone it would not count for much
    assert not mask(flood, part, is_reliable=False)[:, 35:].any()
    assert mask(flood, part, is_reliable=True)[:, 35:].all()


def test_a_video_is_reliable_by_boxes_that_the_network_fills():
    good, bad = pair(CAR | SHADOW[:], WHOLE), pair(rectangle(0, 20, 0, W), WHOLE)
    part = pair(WHOLE, rectangle(5, 15, 5, 20))
    assert reliable([good] * 3)
    assert not reliable([good] * 2)
    assert not reliable([good, bad, bad])
    assert reliable([good] * 3 + [part] * 9)
    assert not reliable([good] * 2 + [part] * 9)
    assert not reliable([pair(None, WHOLE)] * 9)
    assert not reliable([])


def test_the_hull_closes_what_is_hollow():
    assert np.array_equal(hull(CAR), CAR)
    corners = rectangle(0, 1, 0, 1) | rectangle(H - 1, H, W - 1, W) | rectangle(0, 1, W - 1, W)
    filled = hull(corners)
    assert filled[0].all()
    assert filled[H - 1, W - 1]
    assert not filled[H - 1, 0]

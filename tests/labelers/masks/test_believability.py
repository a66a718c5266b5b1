"""The cues of a box and what is made of them, on literal arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks.believability import WEIGHTS, believability, taken, told_against
from spotlabel.labelers.masks.cues import (
    Cues,
    box_cues,
    cleaning_agreement,
    edge_contact,
    overlaps,
    own_fills,
    short_sides,
    threshold_stability,
)
from spotlabel.labelers.masks.shapes import box_shapes


def rectangles(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 4)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def contact_of(
    inside: np.ndarray, *, size: tuple[int, int] = (400, 400), at: tuple[int, int] = (50, 50)
) -> float:
    """Contact of a box whose pixels are ``inside``, at x, y of an image."""
    plane = np.zeros(size, np.uint8)
    x, y = at
    plane[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    rects = rectangles((x, y, x + inside.shape[1], y + inside.shape[0]))
    return float(edge_contact(box_shapes(plane, rects), rects, size)[0])


def test_an_object_that_fills_its_box_touches_every_side():
    assert contact_of(np.ones((20, 30), np.uint8)) == 1.0


def test_an_object_in_the_middle_of_its_box_touches_no_side():
    inside = np.zeros((48, 48), np.uint8)
    inside[12:36, 12:36] = 1
    assert contact_of(inside) == 0.0
    assert contact_of(inside * 0) == 0.0


def test_contact_counts_how_much_of_each_side_is_touched():
    inside = np.zeros((240, 240), np.uint8)
    inside[0:120, 0:30] = 1  # left: half of it; top: 3 of 24 cells, of 6 that are full contact; rest: none
    assert contact_of(inside) == pytest.approx((1.0 + 3 / 6) / 4)


def test_sides_on_the_border_of_the_image_do_not_count():
    inside = np.zeros((48, 48), np.uint8)
    inside[:, 24:] = 1  # does not reach the left side
    assert contact_of(inside) == pytest.approx(3 / 4)
    assert contact_of(inside, at=(0, 50)) == 1.0
    assert np.isnan(contact_of(inside, at=(0, 0), size=(48, 48)))


def test_an_annotators_slack_is_no_lack_of_contact():
    inside = np.zeros((24, 240), np.uint8)
    inside[4:-4, 19:-19] = 1  # 19 px of 240 are less than 10 %, 4 px of 24 are less than 5 px
    assert contact_of(inside) == 1.0


def test_stability_is_the_share_that_survives_a_higher_threshold():
    raw = np.array([[0, 10, 20, 30, 40]], np.uint8)
    assert threshold_stability(raw, 5, 25) == 0.5
    assert threshold_stability(raw, 5, 9) == 1.0
    assert threshold_stability(raw, 40, 50) == 0.0


def test_cleaning_agreement_is_an_iou():
    raw, clean = np.array([[1, 1, 0, 0]], np.uint8), np.array([[0, 1, 1, 0]], np.uint8)
    assert cleaning_agreement(raw, clean, 2) == pytest.approx(1 / 3)
    assert cleaning_agreement(raw, raw, 2) == 1.0
    assert cleaning_agreement(raw * 0, raw * 0, 0) == 0.0


def test_overlap_is_the_share_that_other_boxes_cover():
    found = overlaps(rectangles((0, 0, 10, 10), (5, 0, 15, 10), (50, 50, 60, 60), (7, 7, 7, 9)))
    assert found.tolist() == [0.5, 0.5, 0.0, 0.0]
    assert overlaps(rectangles((0, 0, 4, 4), (0, 0, 8, 8))).tolist() == [1.0, 0.25]
    assert overlaps(rectangles()).shape == (0,)


def test_own_fill_leaves_out_what_other_boxes_cover():
    mask = np.zeros((40, 40), np.uint8)
    mask[0:10, 0:15] = 1
    rects = rectangles((0, 0, 20, 10), (10, 0, 30, 10), (30, 30, 40, 40), (12, 2, 18, 8))
    found = own_fills(mask, rects, overlaps(rects))
    assert found.tolist() == pytest.approx([1.0, 0.0, float("nan"), 0.0], nan_ok=True)


def test_size_is_the_shorter_side():
    assert short_sides(rectangles((0, 0, 10, 4), (3, 3, 3, 9))).tolist() == [4.0, 0.0]


def cues_of(
    evidence: np.ndarray, kind: EvidenceKind, mask: np.ndarray, rects: np.ndarray, level: int
) -> Cues:
    return box_cues(evidence, kind, (mask, box_shapes(mask, rects)), rects, level)


def test_cues_of_motion_evidence_move_the_threshold():
    evidence = np.zeros((30, 30), np.uint8)
    evidence[5:15, 5:15] = 100  # far above either threshold
    evidence[5:15, 20:30] = 13  # barely above the threshold of 12
    boxes = rectangles((5, 5, 15, 15), (20, 5, 30, 15))
    cues = cues_of(evidence, EvidenceKind.MOTION, (evidence > 12).astype(np.uint8), boxes, 12)
    assert cues.fill.tolist() == [1.0, 1.0]
    assert cues.contact.tolist() == [1.0, 1.0]
    assert cues.agreement.tolist() == [1.0, 0.0]


def test_a_box_without_pixels_or_foreground_has_cues_of_zero_and_no_belief():
    empty = np.zeros((30, 30), np.uint8)
    cues = cues_of(empty, EvidenceKind.BINARY, empty, rectangles((5, 5, 5, 9), (5, 5, 25, 25)), 0)
    assert cues.fill.tolist() == cues.contact.tolist() == cues.agreement.tolist() == [0.0, 0.0]
    assert believability(cues, column(np.nan, np.nan)).tolist() == [0.0, 0.0]


def test_a_box_with_nothing_to_complain_of_is_believed_fully():
    cues = Cues(column(0.7), column(1), column(1), column(0), column(np.nan), column(60))
    assert believability(cues, column(1)).tolist() == [1.0]


def test_each_failed_part_takes_its_weight():
    good = {"fill": 0.7, "contact": 1.0, "agreement": 1.0, "overlap": 0.3, "own_fill": 0.6, "size": 60.0}
    for name in ("contact", "agreement", "own_fill", "size"):
        cues = Cues(**{cue: column(v) for cue, v in (good | {name: 0.0}).items()})
        weight = WEIGHTS["own" if name == "own_fill" else name]
        assert believability(cues, column(1))[0] == pytest.approx(1 - weight, abs=1e-6)
    cues = Cues(**{cue: column(v) for cue, v in good.items()})
    assert believability(cues, column(0))[0] == pytest.approx(1 - WEIGHTS["temporal"], abs=1e-6)


SHARE = st.floats(0, 1, width=32)
PLACE = ("fill", "contact", "agreement", "overlap", "own_fill", "size")


@given(st.tuples(*[SHARE] * 8), st.integers(0, 7), SHARE, st.booleans())
def test_belief_stays_in_range_and_never_falls_as_a_cue_improves(cues, which, better, asked):
    names = (*PLACE, "temporal", "network_iou")
    worse = dict(zip(names, cues, strict=True))
    name = names[which]
    raised = worse | {name: max(worse[name], better)}

    def belief(of: dict[str, float]) -> float:
        shown = {cue: column(of[cue] * (32 if cue == "size" else 1)) for cue in PLACE}
        figures = {"network_iou": column(of["network_iou"])} if asked else {}
        return float(believability(Cues(**shown), column(of["temporal"]), figures)[0])

    assert 0 <= belief(worse) <= belief(raised) + 1e-6 <= 1 + 1e-6


def spread(fill: float, boxes: int = 1) -> Cues:
    """Boxes that are filled little, of which all cues but size complain."""
    return Cues(*(np.full(boxes, value, np.float32) for value in (fill, 0.2, 0.5, 0.0, np.nan, 60)))


@given(SHARE, SHARE, st.floats(0.001953125, 1, width=32))
def test_where_two_witnesses_have_spoken_their_agreement_counts_as_much_as_the_shape(iou, temporal, fill):
    alone = believability(spread(fill), column(temporal))[0]
    found = believability(spread(fill), column(temporal), {"network_iou": column(iou)})[0]
    assert found == pytest.approx((alone + (1 + iou) / 2) / 2, abs=1e-6)


def test_a_small_box_bounds_both_opinions():
    small = Cues(*(column(value) for value in (1, 1, 1, 0, np.nan, 6)))
    found = believability(small, column(1), {"network_iou": column(1)})
    assert found.tolist() == pytest.approx([1 - WEIGHTS["size"] / 2])


def test_a_box_without_foreground_is_not_believed_whatever_the_witnesses_say():
    assert believability(spread(0.0), column(np.nan), {"network_iou": column(1.0)}).tolist() == [0.0]


def test_boxes_of_which_the_network_says_nothing_are_judged_as_ever():
    figures = {"network_iou": column(np.nan, 0.9)}
    found = believability(spread(0.2, 2), column(0.5, 0.5), figures)
    alone = believability(spread(0.2), column(0.5))
    assert found.tolist() == pytest.approx([alone[0], (alone[0] + 0.95) / 2], abs=1e-6)
    assert found[0] == alone[0]


def test_floods_and_guesses_are_doubted():
    full = Cues(*(np.full(3, value, np.float32) for value in (1, 1, 1, 0, np.nan, 60)))
    figures = {"seen": column(1, 0, 1), "flooded": column(0, 0, 1)}
    found = believability(full, np.ones(3, np.float32), figures)
    assert found.tolist() == pytest.approx([1, 1 - WEIGHTS["seen"], 1 - WEIGHTS["flooded"]])
    for name, last in (("seen", 1), ("flooded", 1 - WEIGHTS["flooded"])):  # a labeler may know one alone
        alone = believability(full, np.ones(3, np.float32), {name: figures[name]})
        assert float(alone[2]) == pytest.approx(last)


def test_what_told_most_against_a_box_is_named():
    good = {
        "fill": 0.7,
        "contact": 1,
        "agreement": 1,
        "overlap": 0,
        "own_fill": np.nan,
        "size": 60,
        "temporal": 1,
    }
    columns = {name: np.full(4, value, np.float32) for name, value in good.items()}
    columns |= {
        "fill": column(0.7, 0.1, 0.7, 0.1),
        "network_iou": column(np.nan, np.nan, 0.2, np.nan),
        "believability": column(1, 0.2, 0.6, np.nan),
    }
    assert told_against(columns) == ["", "fill", "network", ""]
    assert taken(columns)["network"].tolist() == pytest.approx([0, 0, 0.2, 0])
    assert told_against({"fill": column(0.3, 0.4)}) == ["", ""]

"""Coding of boxes, their overlap, and the anchors they are told from."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.detector.regions.anchors import cell_anchors, grid_anchors
from spotlabel.detector.regions.boxes import area, clip, decode, encode, iou, large_enough

side = st.floats(1, 500)
place = st.floats(-300, 900)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    x, y, w, h = draw(place), draw(place), draw(side), draw(side)
    return [x, y, x + w, y + h]


def test_a_box_is_told_in_sizes_of_its_reference():
    reference = torch.tensor([10.0, 20, 30, 60])
    box = torch.tensor([20.0, 20, 60, 60])  # twice as wide, its centre one width to the right
    assert torch.allclose(encode(box, reference, (1, 1, 1, 1)), torch.tensor([1, 0, math.log(2), 0]))
    weighted = encode(box, reference, (10, 10, 5, 5))
    assert torch.allclose(weighted, torch.tensor([10, 0, 5 * math.log(2), 0]))


@given(box=boxes(), reference=boxes(), weights=st.sampled_from([(1, 1, 1, 1), (10, 10, 5, 5)]))
def test_decoding_undoes_coding_up_to_the_cut(box, reference, weights):
    box, reference = torch.tensor(box).double(), torch.tensor(reference).double()
    found = decode(encode(box, reference, weights), reference, weights)
    ratio = (box[2:] - box[:2]) / (reference[2:] - reference[:2])
    if bool((ratio < 62.5).all()):
        assert torch.allclose(found, box, rtol=0, atol=1e-6)
    else:
        assert bool((found[2:] - found[:2] <= 62.5 * (reference[2:] - reference[:2]) + 1e-6).all())
        assert torch.allclose(found[:2] + found[2:], box[:2] + box[2:], atol=1e-6)


def test_wild_guesses_stay_finite():
    found = decode(torch.tensor([0, 0, 1e4, -1e4]), torch.tensor([0.0, 0, 16, 16]), (1, 1, 1, 1))
    assert torch.allclose(found, torch.tensor([-492.0, 8, 508, 8]), atol=1e-3)


def test_iou_of_boxes_by_hand():
    first = torch.tensor([[0.0, 0, 10, 10], [5, 5, 5, 9]])
    second = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [5, 5, 5, 9]])
    expected = torch.tensor([[1, 50 / 150, 0, 0], [0, 0, 0, 0]])
    assert torch.allclose(iou(first, second), expected)


@given(first=boxes(), second=boxes())
def test_iou_is_symmetric_and_at_most_one(first, second):
    a, b = torch.tensor([first]).double(), torch.tensor([second]).double()
    assert torch.equal(iou(a, b), iou(b, a))
    assert 0 <= iou(a, b).item() <= 1
    assert iou(a, a).item() == pytest.approx(1)


def test_boxes_end_where_their_own_picture_does():
    found = clip(torch.tensor([[[-5.0, -5, 50, 50]], [[-5, -5, 50, 50]]]), torch.tensor([[30, 40], [60, 20]]))
    assert found.tolist() == [[[0, 0, 40, 30]], [[0, 0, 20, 50]]]
    per_class = clip(torch.full((2, 3, 4, 4), 99.0), torch.tensor([[30, 40], [60, 20]]))
    assert per_class[1, 2, 3].tolist() == [20, 60, 20, 60]
    assert area(per_class).abs().max() == 0


def test_thin_boxes_are_none():
    found = large_enough(torch.tensor([[0, 0, 1, 1], [0, 0, 0.5, 9], [0, 0, 9, 0.5], [3, 3, 2, 9]]), 1)
    assert found.tolist() == [True, False, False, False]


def test_anchors_of_a_cell():
    assert cell_anchors((16,), (1.0,)).tolist() == [[-8, -8, 8, 8]]
    found = cell_anchors((8, 16, 32), (0.5, 1.0, 2.0))  # small vehicles
    assert found.tolist() == [
        [-6, -3, 6, 3], [-11, -6, 11, 6], [-23, -11, 23, 11],
        [-4, -4, 4, 4], [-8, -8, 8, 8], [-16, -16, 16, 16],
        [-3, -6, 3, 6], [-6, -11, 6, 11], [-11, -23, 11, 23],
    ]  # fmt: skip


def test_anchors_of_a_map_stand_row_by_row():
    cells = torch.tensor([[-1.0, -1, 1, 1], [-2, -2, 2, 2]])
    found = grid_anchors(cells, (2, 3), 8)
    assert found.shape == (12, 4)
    assert found[:4].tolist() == [[-1, -1, 1, 1], [-2, -2, 2, 2], [7, -1, 9, 1], [6, -2, 10, 2]]
    assert found[6].tolist() == [-1, 7, 1, 9]

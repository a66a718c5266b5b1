"""Suppression in blocks against the greedy rule box by box, and against a kernel like torchvision's."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spotlabel.detector.regions import nms
from spotlabel.detector.regions.nms import floor_to, keep_best, set_apart, suppress_in_blocks

seeds = st.integers(0, 2**31 - 1)
THRESHOLDS = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1 / 3])


def crowd(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Boxes [count, 4] on whole pixels and scores [count]; many overlaps and scores are equal."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (count, 2))
    boxes = np.concatenate([corner, corner + rng.integers(1, 20, (count, 2))], 1)
    return torch.from_numpy(boxes).float(), torch.from_numpy(rng.integers(0, 20, count) / 20).float()


def greedy(boxes: Tensor, scores: Tensor, threshold: float) -> list[int]:
    """The rule as it is told: places of the boxes that stay, best first."""
    x0, y0, x1, y1 = boxes.numpy().T
    areas = (x1 - x0) * (y1 - y0)
    left = sorted(range(len(boxes)), key=lambda n: -scores[n].item())
    stay = []
    while left:
        best, *rest = left
        stay.append(best)
        w = np.maximum(np.minimum(x1[best], x1[rest]) - np.maximum(x0[best], x0[rest]), 0)
        h = np.maximum(np.minimum(y1[best], y1[rest]) - np.maximum(y0[best], y0[rest]), 0)
        overlap = (w * h) / (areas[best] + areas[rest] - w * h)
        left = [n for n, o in zip(rest, overlap, strict=True) if not float(o) > threshold]
    return stay


def kept_of(found: tuple[Tensor, Tensor], picture: int = 0) -> list[int]:
    places, real = found
    return places[picture][real[picture]].tolist()


@given(seed=seeds, count=st.integers(1, 60), threshold=THRESHOLDS)
def test_suppression_is_the_greedy_rule(seed, count, threshold):
    boxes, scores = crowd(seed, count)
    expected = greedy(boxes, scores, threshold)
    assert kept_of(keep_best(boxes[None], scores[None], threshold, count)) == expected
    few = keep_best(boxes[None], scores[None], threshold, 3)
    assert kept_of(few) == expected[:3]


@settings(max_examples=5)
@given(seed=seeds)
def test_blocks_settle_one_after_the_other(seed):
    boxes, scores = crowd(seed, 2 * nms.BLOCK + 90)
    boxes = boxes * torch.tensor([9, 9, 9, 9])  # more than a block of them stays
    boxes[:, 2:] = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) / 9 + 4
    expected = greedy(boxes, scores, 0.3)
    assert len(expected) > nms.BLOCK
    assert kept_of(keep_best(boxes[None], scores[None], 0.3, len(boxes))) == expected


def test_a_suppressed_box_suppresses_nothing():
    chain = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10], [12, 0, 22, 10]])
    found = keep_best(chain[None], torch.tensor([[0.9, 0.8, 0.7, 0.6]]), 0.4, 4)
    assert kept_of(found) == [0, 2]
    assert found[0].shape == found[1].shape == (1, 4)


def test_pictures_and_groups_are_apart():
    boxes = torch.tensor([[[0.0, 0, 10, 10]] * 3, [[0.0, 0, 10, 10]] * 3])
    scores = torch.tensor([[0.5, 0.9, 0.7], [0.5, -torch.inf, 0.7]])
    assert kept_of(keep_best(boxes, scores, 0.5, 3), 0) == [1]
    assert kept_of(keep_best(boxes, scores, 0.5, 3), 1) == [2]
    groups = torch.tensor([[0, 1, 1], [4, 0, 4]])
    assert kept_of(keep_best(boxes, scores, 0.5, 3, groups=groups), 0) == [1, 0]
    assert kept_of(keep_best(boxes, scores, 0.5, 3, groups=groups), 1) == [2]


@given(seed=seeds)
def test_groups_are_suppressed_as_if_alone(seed):
    boxes, scores = crowd(seed, 40)
    groups = torch.from_numpy(np.random.default_rng(seed).integers(0, 80, 40) % 7 * 13)
    found = set(kept_of(keep_best(boxes[None], scores[None], 0.5, 40, groups=groups[None])))
    alone = set()
    for group in groups.unique():
        (own,) = torch.where(groups == group)
        alone |= {int(own[n]) for n in greedy(boxes[own], scores[own], 0.5)}
    assert found == alone


def test_groups_far_from_the_origin_lose_no_digits():
    boxes = torch.tensor([[[0.1, 0.1, 10.3, 10.7], [0.4, 0.2, 10.9, 10.1]]]).repeat(1, 100, 1)
    apart = set_apart(boxes, torch.arange(200)[None] // 2)
    sizes = apart[..., 2:] - apart[..., :2]
    assert torch.allclose(sizes, (boxes[..., 2:].double() - boxes[..., :2].double()), rtol=0, atol=1e-10)


def test_nothing_to_keep():
    found = keep_best(torch.zeros(1, 5, 4), torch.full((1, 5), -torch.inf), 0.5, 3)
    assert found[1].tolist() == [[False] * 3]


@pytest.mark.parametrize("value", [0.3, 0.5, 0.7, 1 / 3, 0.45])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_threshold_is_rounded_down(value, dtype):
    found = floor_to(value, dtype)
    assert torch.tensor(found, dtype=dtype).item() == found
    above = torch.nextafter(torch.tensor(found, dtype=dtype), torch.tensor(1, dtype=dtype)).item()
    assert found <= value < above


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch):
    """A torchvision whose kernel is the greedy rule; True once it was called with boxes."""
    called: list[int] = []

    def kernel(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
        called.append(len(boxes))
        return torch.tensor(greedy(boxes, scores, threshold), dtype=torch.int64)

    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.ops", types.SimpleNamespace(nms=kernel))
    nms.torchvision_nms.cache_clear()
    yield called
    nms.torchvision_nms.cache_clear()


def test_torchvisions_kernel_is_used_where_it_can_be_and_answers_alike(kernel):
    boxes, scores = map(torch.stack, zip(*(crowd(seed, 70) for seed in range(3)), strict=True))
    scores[1, 20:] = -torch.inf
    groups = torch.arange(70).expand(3, 70) % 3
    through = keep_best(boxes, scores, 0.5, 30, groups=groups)
    assert sorted(kernel) == [1, 20, 70, 70]
    order = scores.argsort(dim=1, descending=True, stable=True)
    ranked = set_apart(boxes, groups).gather(1, order.unsqueeze(2).expand(-1, -1, 4))
    kept = suppress_in_blocks(ranked, scores.gather(1, order) > -torch.inf, 0.5, 30)
    for picture in range(3):
        assert kept_of(through, picture) == order[picture][kept[picture]].tolist()[:30]


def test_a_torchvision_that_does_not_fit_is_left_alone(monkeypatch):
    def broken(*_: object) -> Tensor:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setitem(sys.modules, "torchvision.ops", types.SimpleNamespace(nms=broken))
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    nms.torchvision_nms.cache_clear()
    try:
        assert nms.torchvision_nms() is None
    finally:
        nms.torchvision_nms.cache_clear()

"""RoIAlign and RoIPool against their definitions, cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spotlabel.detector.regions.pooling import region_levels, roi_align, roi_pool

seeds = st.integers(0, 2**31 - 1)
HEIGHT, WIDTH = 5, 7


def case(seed: int, stride: int) -> tuple[Tensor, Tensor]:
    """A feature [2, 2, H, W] and regions [2, 3, 4], some of them off the map."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-8, WIDTH * stride, (2, 3, 2))
    rois = np.concatenate([corner, corner + rng.uniform(0, WIDTH * stride, (2, 3, 2))], 2)
    return torch.from_numpy(rng.normal(size=(2, 2, HEIGHT, WIDTH))), torch.from_numpy(rois)


def bilinear(plane: np.ndarray, y: float, x: float) -> float:
    """0 more than a cell outside; else interpolated between cells, as at the edge where it lies beyond."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    low, right = min(top + 1, height - 1), min(left + 1, width - 1)
    v, u = y - top, x - left
    upper = plane[top, left] * (1 - u) + plane[top, right] * u
    return upper * (1 - v) + (plane[low, left] * (1 - u) + plane[low, right] * u) * v


def aligned_cell(plane: np.ndarray, roi: list[float], place: tuple[int, int], size: int, half: bool) -> float:
    """One cell of RoIAlign: the mean of 2 x 2 points. ``roi`` is in cells of the map."""
    row, column = place
    x0, y0, x1, y1 = (value - 0.5 * half for value in roi)
    w, h = x1 - x0, y1 - y0
    if not half:
        w, h = max(w, 1), max(h, 1)
    points = [
        bilinear(plane, y0 + h * (row + (i + 0.5) / 2) / size, x0 + w * (column + (j + 0.5) / 2) / size)
        for i in range(2)
        for j in range(2)
    ]
    return sum(points) / 4


def pooled_cell(plane: np.ndarray, roi: list[float], place: tuple[int, int], size: int) -> float:
    """One cell of RoIPool: the maximum of the cells of the map it touches. ``roi`` is in cells of the map."""
    row, column = place
    x0, y0, x1, y1 = (math.floor(abs(value) + 0.5) * (1 if value > 0 else -1) for value in roi)
    height, width = plane.shape
    x0, x1, y0, y1 = (min(max(a, 0), b) for a, b in ((x0, width), (x1, width), (y0, height), (y1, height)))
    w, h = max(x1 - x0 + 1, 1) / size, max(y1 - y0 + 1, 1) / size
    rows = range(y0 + math.floor(row * h), min(y0 + math.ceil((row + 1) * h), height))
    columns = range(x0 + math.floor(column * w), min(x0 + math.ceil((column + 1) * w), width))
    return max((plane[i, j] for i in rows for j in columns), default=0.0)


@settings(max_examples=30)
@given(seed=seeds, half=st.booleans(), size=st.sampled_from([1, 2, 3]))
def test_roi_align_is_its_definition(seed, half, size):
    feature, rois = case(seed, 4)
    found = roi_align([feature], [4], rois, size, half_pixel=half)
    assert found.shape == (2, 3, 2, size, size)
    for b, r, c, i, j in np.ndindex(*found.shape):
        expected = aligned_cell(feature[b, c].numpy(), (rois[b, r] / 4).tolist(), (i, j), size, half)
        assert found[b, r, c, i, j].item() == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30)
@given(seed=seeds, size=st.sampled_from([1, 2, 3]))
def test_roi_pool_is_its_definition(seed, size):
    feature, rois = case(seed, 4)
    found = roi_pool(feature, 4, rois, size)
    assert found.shape == (2, 3, 2, size, size)
    for b, r, c, i, j in np.ndindex(*found.shape):
        expected = pooled_cell(feature[b, c].numpy(), (rois[b, r] / 4).tolist(), (i, j), size)
        assert found[b, r, c, i, j].item() == expected


def test_gradients_flow_to_the_cells_that_were_read():
    feature, rois = case(3, 4)
    feature = feature[:, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: roi_align([x], [4], rois, 2), feature)
    assert torch.autograd.gradcheck(lambda x: roi_pool(x, 4, rois, 2), feature)


def test_a_constant_map_is_constant_in_every_region():
    rois = torch.tensor([[[3.0, 4, 20, 17], [0, 0, 24, 16]]])
    feature = torch.full((1, 1, HEIGHT, WIDTH), 2.5)
    for found in (roi_align([feature], [4], rois, 7), roi_pool(feature, 4, rois, 7)):
        assert torch.allclose(found, torch.tensor(2.5))


def test_levels_by_size():
    strides = (4, 8, 16, 32)
    sides = [10, 111, 112, 223, 224, 447, 448, 900, 5000]
    rois = torch.tensor([[0.0, 0, side, side] for side in sides])
    assert region_levels(rois, strides).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    oblong = torch.tensor([[0.0, 0, 448, 112], [9, 9, 9, 9]])  # the area decides; none is finest
    assert region_levels(oblong, strides).tolist() == [2, 0]


def test_a_region_is_read_from_its_own_level_and_picture():
    maps = [torch.full((2, 1, 64 // 2**k, 64 // 2**k), float(k)) for k in range(4)]
    for k in range(4):
        maps[k][1] += 10
    rois = torch.tensor([[[0.0, 0, side, side] for side in (50, 120, 230, 256)]] * 2)
    found = roi_align(maps, (4, 8, 16, 32), rois, 2)
    assert torch.allclose(found[..., 0, 0, 0], torch.tensor([[0.0, 1, 2, 2], [10, 11, 12, 12]]))
    single = torch.cat(
        [roi_align([maps[k]], [4 << k], rois[:, [n]], 2) for n, k in enumerate((0, 1, 2, 2))], 1
    )
    assert torch.allclose(found, single)


def test_half_precision_stays_half():
    feature, rois = case(5, 4)
    found = roi_align([feature.bfloat16()], [4], rois.float(), 2)
    assert found.dtype == torch.bfloat16
    expected = roi_align([feature.bfloat16().float()], [4], rois.float(), 2)
    assert torch.allclose(found.float(), expected, rtol=0.01, atol=1e-6)

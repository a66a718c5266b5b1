"""LGA-RCNN: its Gaussians, what they highlight, and which losses reach them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.regions.attention.gaussian import (
    GaussianAttention,
    Gaussians,
    as_gaussians,
    gaussian_maps,
    guide_head,
    guide_loss,
    joined,
    raw_centres,
)
from spotlabel.detector.regions.attention.options import (
    Centres,
    Fusion,
    GaussianOptions,
    GuideHead,
    Joined,
)

torch.set_num_threads(1)


def module(seed: int = 0, **options: object) -> GaussianAttention:
    torch.manual_seed(seed)
    return GaussianAttention(6, 7, 4, GaussianOptions.model_validate({"hidden": 5, **options})).double()


def features(count: int = 3) -> Tensor:
    return torch.rand(count, 6, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(9))


def test_one_gaussian_of_width_one_in_the_middle() -> None:
    maps = gaussian_maps(Gaussians(torch.full((1, 1, 2), 3.0), torch.ones(1, 1, 2)), 7)
    row = [0.0111, 0.1353, 0.6065, 1.0, 0.6065, 0.1353, 0.0111]
    assert maps[0, 0, 3].tolist() == pytest.approx(row, abs=5e-5)
    assert maps[0, 0, :, 3].tolist() == pytest.approx(row, abs=5e-5)
    assert float(maps[0, 0, 0, 0]) == pytest.approx(np.exp(-9), rel=1e-6)


def test_the_first_coordinate_is_x() -> None:
    maps = gaussian_maps(Gaussians(torch.tensor([[[5.0, 1.0]]]), torch.tensor([[[1.0, 2.0]]])), 7)
    assert maps[0, 0].argmax() == 1 * 7 + 5
    assert float(maps[0, 0, 1, 6]) == pytest.approx(np.exp(-1 / 2), rel=1e-6)
    assert float(maps[0, 0, 2, 5]) == pytest.approx(np.exp(-1 / 8), rel=1e-6)


@pytest.mark.parametrize(("isotropic", "parameters"), [(True, 54_092), (False, 66_640)])
def test_parameters_without_the_guide_head(isotropic: bool, parameters: int) -> None:
    attention = GaussianAttention(256, 7, 21, GaussianOptions(isotropic=isotropic, guide=GuideHead.POOLED))
    own = {n: p.numel() for n, p in attention.named_parameters() if not n.startswith("guide.")}
    assert sum(own.values()) == parameters
    assert sum(p.numel() for p in attention.guide.parameters()) == 256 * 21 + 21


def test_the_guide_head_is_a_box_heads_classifier() -> None:
    with torch.device("meta"):
        head = guide_head(GaussianOptions(), 256, 7, 21)
        larger = guide_head(GaussianOptions(), 256, 14, 21)
        narrow = guide_head(GaussianOptions(guide_width=8), 256, 7, 21)
    size = 12544 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 21 + 21
    assert sum(p.numel() for p in head.parameters()) == size
    assert sum(p.numel() for p in larger.parameters()) == size  # sees 7x7 cells, too
    assert sum(p.numel() for p in narrow.parameters()) == 12544 * 8 + 8 + 8 * 8 + 8 + 8 * 21 + 21


@settings(max_examples=80)
@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(-100, 100)), st.booleans())
def test_gaussians_stay_on_their_roi(values: np.ndarray, isotropic: bool) -> None:
    raw = torch.from_numpy(values)[..., : 3 if isotropic else 4]
    found = as_gaussians(raw, 7, Centres.INSIDE)
    maps = gaussian_maps(found, 7)
    assert (found.centres >= 0).all()
    assert (found.centres <= 6).all()
    assert (found.sigmas >= 1).all()
    assert (found.sigmas <= 7).all()
    assert (maps > 0).all()
    assert (maps <= 1).all()
    peak = maps.flatten(2).argmax(dim=2)
    places = torch.stack([peak % 7, peak // 7], dim=2)
    assert ((places - found.centres).abs() <= 0.5 + 1e-9).all()
    for how in Joined:
        one = joined(maps, how)
        assert one.shape == (2, 7, 7)
        assert (one > 0).all()
        assert (one <= 1).all()
    literal = as_gaussians(raw, 7, Centres.LITERAL).centres
    assert torch.allclose(literal, 7 * raw[..., :2].tanh())


def test_extremes_are_the_first_and_the_last_cell() -> None:
    raw = torch.tensor([[[-100.0, 100.0, -100.0], [0.0, 0.0, 100.0]]])
    found = as_gaussians(raw, 7, Centres.INSIDE)
    assert found.centres.tolist() == [[[0.0, 6.0], [3.0, 3.0]]]
    assert found.sigmas.tolist() == [[[1.0, 1.0], [7.0, 7.0]]]


def test_joined_maps_of_literal_cells() -> None:
    maps = torch.tensor([[[[0.25, 1.0]], [[0.5, 0.5]]]])
    assert joined(maps, Joined.MAX).tolist() == [[[0.5, 1.0]]]
    assert joined(maps, Joined.MEAN).tolist() == [[[0.375, 0.75]]]
    assert joined(maps, Joined.SUM).tolist() == [[[0.75, 1.0]]]


@pytest.mark.parametrize("centres", list(Centres))
@pytest.mark.parametrize("count", [1, 2, 4, 5, 9])
def test_gaussians_start_apart_on_a_grid(count: int, centres: Centres) -> None:
    raw = torch.cat([raw_centres(count, 7, centres), torch.ones(count, 1)], dim=1)
    places = as_gaussians(raw[None], 7, centres).centres[0]
    assert ((places >= 0.5) & (places <= 5.5)).all()
    apart = torch.cdist(places, places) + 9 * torch.eye(count)
    assert apart.min() >= 1.9
    if count == 4:
        assert torch.allclose(places, torch.tensor([[1.5, 1.5], [4.5, 1.5], [1.5, 4.5], [4.5, 4.5]]))
    if count == 1:
        assert torch.allclose(places, torch.tensor([[3.0, 3.0]]), atol=1e-6)


def test_at_the_start_every_roi_has_four_maps_of_its_grid() -> None:
    attention = module()
    found = attention.gaussians(features())
    maps = gaussian_maps(found, 7)
    assert torch.allclose(found.sigmas, torch.full((3, 4, 2), 2.0, dtype=torch.float64), atol=0.01)
    assert all((maps[:, a] - maps[:, b]).abs().max() > 0.5 for a in range(4) for b in range(a))
    grid = torch.tensor([[1.5, 1.5], [4.5, 1.5], [1.5, 4.5], [4.5, 4.5]], dtype=torch.float64)
    assert torch.allclose(found.centres, grid.expand(3, -1, -1), atol=0.01)


def test_what_is_fused() -> None:
    x = features()
    found = module()(x)
    assert torch.equal(found.highlighted, x * found.map)
    assert torch.equal(found.fused, x + found.highlighted)
    assert found.map.shape == (3, 1, 7, 7)
    plain = module(fusion="none")(x)
    assert torch.equal(plain.fused, x)
    assert torch.equal(plain.highlighted, found.highlighted)
    concat = module(fusion="concat")
    fused = concat(x)
    assert concat.fuse is not None
    assert torch.equal(fused.fused, concat.fuse(torch.cat([x, fused.highlighted], dim=1)))
    assert fused.fused.shape == x.shape


@pytest.mark.parametrize("fusion", list(Fusion))
@pytest.mark.parametrize("isotropic", [True, False])
def test_the_guiding_loss_reaches_the_gaussians_and_no_box_head(fusion: Fusion, isotropic: bool) -> None:
    attention = module(fusion=fusion, isotropic=isotropic)
    boxes = nn.Linear(6 * 49, 4, dtype=torch.float64)
    found = attention(features())
    deltas = boxes(found.fused.flatten(1))
    loss = guide_loss(
        attention.guide(found.highlighted), torch.tensor([0, 1, 3]), torch.ones(3, dtype=torch.bool)
    )
    (loss + 0 * deltas.sum()).backward()
    for layer in (attention.reduce, attention.locate, attention.guide):
        for parameter in layer.parameters():
            assert parameter.grad is not None
            assert (parameter.grad != 0).any()
    assert all(p.grad is not None and not p.grad.any() for p in boxes.parameters())


def test_the_main_loss_reaches_the_gaussians_but_not_the_guide_head() -> None:
    attention = module()
    attention(features()).fused.square().sum().backward()
    assert (attention.locate.weight.grad != 0).any()
    assert (attention.reduce.weight.grad != 0).any()
    assert all(parameter.grad is None for parameter in attention.guide.parameters())


def test_gradients_are_those_of_finite_differences() -> None:
    raw = torch.tensor(
        [[[0.3, -0.4, 0.5, 0.2], [-1.0, 0.8, 1.5, 0.1]]], dtype=torch.float64, requires_grad=True
    )

    def maps(values: Tensor) -> Tensor:
        return gaussian_maps(as_gaussians(values, 5, Centres.INSIDE), 5)

    assert torch.autograd.gradcheck(maps, (raw,))


def test_the_guiding_loss_is_the_mean_over_counted_rois() -> None:
    logits, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1])
    counted = torch.tensor([True, False, True, True, False])
    expected = functional.cross_entropy(logits[counted], labels[counted])
    assert guide_loss(logits, labels, counted) == pytest.approx(float(expected), rel=1e-6)
    assert guide_loss(logits, labels, counted, lambda count: 2 * count) == pytest.approx(float(expected) / 2)
    nothing = logits.clone().requires_grad_()
    none = guide_loss(nothing, labels, torch.zeros(5, dtype=torch.bool))
    none.backward()
    assert none == 0
    assert (nothing.grad == 0).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_guiding_loss_draws_a_gaussian_to_where_the_class_shows(seed: int) -> None:
    """Two classes differ in one corner alone; a guide head that tells them apart draws the Gaussian there."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(64, 6, 7, 7, generator=generator)
    labels = torch.randint(1, 3, (64,), generator=generator)
    x[labels == 2, :, 4:, 5:] += 1.0  # lower right
    torch.manual_seed(seed)
    attention = GaussianAttention(
        6, 7, 3, GaussianOptions(gaussians=1, hidden=8, guide=GuideHead.POOLED, width_bias=2.0)
    )
    everyone = torch.ones(64, dtype=torch.bool)

    def learn(parameters: list[nn.Parameter], steps: int) -> float:
        optimiser = torch.optim.Adam(parameters, 0.05)
        for _ in range(steps):
            optimiser.zero_grad()
            loss = guide_loss(attention.guide(attention(x).highlighted), labels, everyone)
            loss.backward()
            optimiser.step()
        return float(loss.detach())

    before = learn(list(attention.guide.parameters()), 150)
    assert torch.allclose(attention.gaussians(x).centres, torch.tensor(3.0), atol=0.05)
    after = learn([attention.locate.bias, *attention.guide.parameters()], 100)
    x_centre, y_centre = attention.gaussians(x).centres[0, 0].tolist()
    assert after < 0.8 * before
    assert x_centre > 4
    assert y_centre > 4


def test_maps_keep_single_precision_under_autocast() -> None:
    attention = GaussianAttention(6, 7, 4, GaussianOptions(hidden=5))
    x = torch.rand(2, 6, 7, 7)
    with torch.autocast("cpu", torch.bfloat16):
        gaussians = attention.gaussians(x)
        found = attention(x.bfloat16())
    assert gaussians.centres.dtype == torch.float32
    assert found.fused.dtype == found.highlighted.dtype == torch.bfloat16


def test_rois_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="RoIs of 7x14 cells: expected 7x7"):
        module()(torch.zeros(1, 6, 7, 14, dtype=torch.float64))

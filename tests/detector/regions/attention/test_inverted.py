"""IAN: what is suppressed, in which RoIs, by which gradient, and that nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from spotlabel.detector.regions.attention.inverted import (
    choose_rois,
    invert,
    inverted_attention,
    score_gradients,
    sensitivity,
    whole,
)
from spotlabel.detector.regions.attention.options import (
    Inversion,
    InvertedOptions,
    Rounding,
    Sensitive,
    Suppression,
)

torch.set_num_threads(1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_rois(count: int, channels: int, size: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    shape, generator = (count, channels, size, size), seeded(seed)
    return torch.rand(shape, generator=generator), torch.randn(shape, generator=generator)


def linear_head(channels: int, size: int, outputs: int) -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, outputs, dtype=torch.float64))


@pytest.mark.parametrize(
    ("size", "share", "rounding", "cells", "zeros"),
    [
        (7, 0.33, Rounding.DOWN, 16, 0.260),
        (7, 0.33, Rounding.NEAREST, 16, 0.261),
        (7, 0.33, Rounding.UP, 17, 0.278),
        (14, 0.33, Rounding.DOWN, 64, 0.260),
        (14, 0.33, Rounding.NEAREST, 65, 0.266),
        (14, 1 / 3, Rounding.UP, 66, 0.270),
    ],
)
def test_soft_suppression_takes_exact_numbers(
    size: int, share: float, rounding: Rounding, cells: int, zeros: float
) -> None:
    features, gradients = random_rois(6, 256, size)
    options = InvertedOptions(cells=share, rounding=rounding)
    factor = inverted_attention(features, gradients, options, seeded())
    off = factor == 0
    flagged = off.any(dim=(2, 3))
    assert factor.shape == features.shape
    assert not factor.requires_grad
    assert set(factor.unique().tolist()) == {0.0, 1.0}
    # 0.8 * 256 = 204.8
    assert flagged.sum(1).tolist() == [204 if rounding is Rounding.DOWN else 205] * 6
    assert off.any(dim=1).sum(dim=(1, 2)).tolist() == [cells] * 6
    # every flagged channel loses the same cells
    assert off.sum(dim=(1, 2, 3)).tolist() == [cells * int(n) for n in flagged.sum(1)]
    assert float(off.double().mean()) == pytest.approx(zeros, abs=0.0005)


def test_what_is_suppressed_is_what_ranks_highest() -> None:
    features, gradients = random_rois(4, 10, 7)
    cells, channels = sensitivity(features, gradients)
    off = inverted_attention(features, gradients, InvertedOptions(), seeded()) == 0
    for roi in range(4):
        hot, flagged = off[roi].any(dim=0), off[roi].any(dim=(1, 2))
        assert cells[roi][hot].min() > cells[roi][~hot].max()
        assert channels[roi][flagged].min() > channels[roi][~flagged].max()


def test_sensitivity_of_a_literal_roi() -> None:
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [0.0, -1.0]]]])
    gradients = torch.tensor([[[[1.0, 1.0], [0.0, 2.0]], [[-4.0, 0.0], [0.0, 0.0]]]])
    cells, channels = sensitivity(features, gradients)
    assert channels.tolist() == [[1.0, -1.0]]
    assert cells.tolist() == [[[1.0, 1.0], [3.0, 5.0]]]


def test_every_inversion_of_a_literal_roi() -> None:
    features = torch.tensor([[[[0.0, 2.0], [3.0, 4.0]]]])
    gradients = torch.ones(1, 1, 2, 2)
    expected = {
        Inversion.SOFT: [[1.0, 1.0], [1.0, 0.0]],
        Inversion.HARD: [[1.0, 1.0], [0.0, 0.0]],
        Inversion.OVERTURN: [[1.0, 0.5], [0.25, 0.0]],
    }
    for inversion, factor in expected.items():
        options = InvertedOptions(suppression=Suppression.SPATIAL, inversion=inversion)
        assert inverted_attention(features, gradients, options, seeded()).tolist() == [[factor]]


def test_channels_alone_are_suppressed_whole_and_few() -> None:
    features, gradients = random_rois(5, 40, 7)
    factor = inverted_attention(
        features, gradients, InvertedOptions(suppression=Suppression.CHANNEL), seeded()
    )
    _, channels = sensitivity(features, gradients)
    assert factor.shape == (5, 40, 1, 1)
    off = factor[:, :, 0, 0] == 0
    assert off.sum(1).tolist() == [8] * 5  # 20 % of 40
    assert all(channels[n][off[n]].min() > channels[n][~off[n]].max() for n in range(5))


def test_cells_alone_are_suppressed_in_every_channel() -> None:
    features, gradients = random_rois(5, 8, 7)
    options = InvertedOptions(suppression=Suppression.SPATIAL)
    factor = inverted_attention(features, gradients, options, seeded())
    assert factor.shape == (5, 1, 7, 7)
    assert (factor == 0).sum(dim=(1, 2, 3)).tolist() == [16] * 5


def test_either_is_cells_or_channels_by_the_runs_own_draw() -> None:
    features, gradients = random_rois(2, 10, 7)
    options, generator = InvertedOptions(suppression=Suppression.EITHER), seeded()
    shapes = [inverted_attention(features, gradients, options, generator).shape for _ in range(40)]
    cells = sum(shape == (2, 1, 7, 7) for shape in shapes)
    assert 10 <= cells <= 30
    assert sum(shape == (2, 10, 1, 1) for shape in shapes) == 40 - cells


def test_random_suppression_is_as_large_but_knows_nothing_and_repeats_with_its_seed() -> None:
    features, gradients = random_rois(50, 10, 7)
    options = InvertedOptions(inversion=Inversion.RANDOM)
    first, again, other = (inverted_attention(features, gradients, options, seeded(s)) for s in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first == 0).sum(dim=(1, 2, 3)).tolist() == [16 * 8] * 50
    hot = (first == 0).any(dim=1).double().mean(dim=0)  # every cell is about as often taken as another
    assert hot.min() > 0.1
    assert hot.max() < 0.6


def test_equal_cells_are_taken_in_order() -> None:
    same = torch.ones(1, 5, 2, 2)
    factor = inverted_attention(same, same, InvertedOptions(cells=0.5), seeded())
    assert (factor[0] == 0).nonzero().tolist() == [[k, 0, c] for k in range(4) for c in range(2)]
    for inversion in (Inversion.HARD, Inversion.OVERTURN):  # nothing stands out
        assert (inverted_attention(same, same, InvertedOptions(inversion=inversion), seeded()) == 1).all()


@settings(max_examples=60)
@given(
    st.sampled_from([(s, i) for s in Suppression for i in Inversion]),
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.integers(0, 9),
)
def test_factors_lie_in_0_to_1_and_broadcast(
    how: tuple[Suppression, Inversion], shape: tuple[int, int], shares: tuple[float, float], seed: int
) -> None:
    weighs = how[1] in (Inversion.HARD, Inversion.OVERTURN)
    if weighs and how[0] in (Suppression.CHANNEL, Suppression.EITHER):
        with pytest.raises(ValueError, match="weighs cells"):
            InvertedOptions(suppression=how[0], inversion=how[1])
        return
    options = InvertedOptions(suppression=how[0], inversion=how[1], cells=shares[0], channels=shares[1])
    features, gradients = random_rois(3, *shape, seed)
    factor = inverted_attention(features, gradients, options, seeded(seed))
    assert (features * factor).shape == features.shape
    assert (factor >= 0).all()
    assert (factor <= 1).all()
    assert torch.equal(factor, inverted_attention(features, gradients, options, seeded(seed)))


@settings(max_examples=60)
@given(st.lists(st.booleans(), max_size=80), st.floats(0, 1), st.integers(0, 99))
def test_rois_are_drawn_without_replacement_from_those_trained_on(
    eligible: list[bool], share: float, seed: int
) -> None:
    chosen = choose_rois(torch.tensor(eligible, dtype=torch.bool), share, seeded(seed)).tolist()
    assert chosen == sorted(set(chosen))
    assert all(eligible[index] for index in chosen)
    assert abs(len(chosen) - share * sum(eligible)) <= 0.5
    assert choose_rois(torch.tensor(eligible, dtype=torch.bool), share, seeded(seed)).tolist() == chosen


@given(st.integers(0, 1000))
def test_whole_numbers_of_tenths(tenths: int) -> None:
    exact = tenths // 10
    assert whole(tenths * 0.1, Rounding.DOWN) == exact
    assert whole(tenths * 0.1, Rounding.UP) == exact + (tenths % 10 > 0)
    assert whole(tenths * 0.1, Rounding.NEAREST) == exact + (tenths % 10 >= 5)


def test_the_gradient_of_a_linear_head_is_its_weights() -> None:
    head, labels = linear_head(3, 4, 5), torch.tensor([2, 0, 4, 2])
    features = torch.rand(4, 3, 4, 4, dtype=torch.float64)
    gradient = score_gradients(features, labels, head, head)
    rows = head.get_parameter("1.weight").detach()[labels].view(4, 3, 4, 4)
    assert torch.allclose(gradient, rows)
    cells, _ = sensitivity(features, gradient)
    closed = (rows.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)
    assert torch.allclose(cells, closed)


@pytest.mark.parametrize("score", list(Sensitive))
def test_the_gradient_is_that_of_finite_differences(score: Sensitive) -> None:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3)).double()
    features, labels = torch.rand(2, 2, 4, 4, dtype=torch.float64), torch.tensor([1, 2])

    def total(x: Tensor) -> float:
        logits = head(x).softmax(1) if score is Sensitive.PROBABILITY else head(x)
        return float(logits[[0, 1], labels].sum().detach())

    gradient = score_gradients(features, labels, head, head, score)
    for place in [(0, 0, 0, 0), (0, 1, 2, 3), (1, 0, 3, 1), (1, 1, 1, 2)]:
        step = torch.zeros_like(features)
        step[place] = 1e-5
        slope = (total(features + step) - total(features - step)) / 2e-5
        assert float(gradient[place]) == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_the_extra_pass_leaves_the_head_as_it_was() -> None:
    head = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(100, 3)
    )
    head[1].eval()  # frozen, as in fine-tuning
    before = {name: value.clone() for name, value in head.state_dict().items()}
    for parameter in head.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    features = torch.rand(3, 2, 7, 7, requires_grad=True)
    state = torch.get_rng_state()
    gradient = score_gradients(features, torch.tensor([0, 1, 2]), head, head)
    assert torch.equal(gradient, score_gradients(features, torch.tensor([0, 1, 2]), head, head))  # no dropout
    assert torch.equal(torch.get_rng_state(), state)
    assert features.grad is None
    assert all(bool((p.grad == 7).all()) for p in head.parameters() if p.grad is not None)
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
    assert [part.training for part in head] == [True, False, True, True, True]


def test_the_gradient_can_be_had_where_gradients_are_off() -> None:
    head = linear_head(1, 2, 2)
    with torch.no_grad():
        gradient = score_gradients(torch.rand(1, 1, 2, 2, dtype=torch.float64), torch.tensor([1]), head, head)
    assert torch.equal(gradient.flatten(), head.get_parameter("1.weight").detach()[1])


def test_only_chosen_rois_change_and_gradients_stop_at_zeros() -> None:
    head, labels = linear_head(5, 7, 3), torch.randint(0, 3, (50,), generator=seeded())
    eligible = torch.arange(50) < 41
    features = torch.rand(50, 5, 7, 7, dtype=torch.float64, generator=seeded()).add(0.1).requires_grad_()
    options = InvertedOptions()
    found = invert(features, labels, eligible, head, head, options=options, generator=seeded(3))
    touched = (found != features).flatten(1).any(1)
    assert int(touched.sum()) == 8  # 20 % of 41
    assert not touched[41:].any()
    chosen = choose_rois(eligible, options.rois, seeded(3))
    assert torch.where(touched)[0].tolist() == chosen.tolist()
    (gradient,) = torch.autograd.grad(found.sum(), features)
    assert torch.equal(gradient, (found != 0).double())  # the factor itself passes no gradient
    part = features.detach()[chosen]
    factor = inverted_attention(part, score_gradients(part, labels[chosen], head, head), options, seeded(3))
    assert torch.equal(found[chosen], part * factor)


def test_background_can_be_left_alone() -> None:
    head, labels = linear_head(5, 7, 3), torch.tensor([0, 1] * 10)
    features = torch.rand(20, 5, 7, 7, dtype=torch.float64) + 0.1
    options = InvertedOptions(positives_only=True, rois=1.0)
    found = invert(
        features, labels, torch.ones(20, dtype=torch.bool), head, head, options=options, generator=seeded()
    )
    assert (found != features).flatten(1).any(1).tolist() == [False, True] * 10


def test_without_rois_features_come_back_as_they_are() -> None:
    head, features = linear_head(5, 7, 3), torch.rand(4, 5, 7, 7, dtype=torch.float64)
    nobody = torch.zeros(4, dtype=torch.bool)
    labels = torch.zeros(4, dtype=torch.int64)
    found = invert(features, labels, nobody, head, head, options=InvertedOptions(), generator=seeded())
    assert torch.equal(found, features)
    empty = invert(
        features[:0], labels[:0], nobody[:0], head, head, options=InvertedOptions(), generator=seeded()
    )
    assert empty.shape == (0, 5, 7, 7)


def test_a_trained_head_is_less_sure_without_what_it_rests_on() -> None:
    generator = seeded(8)
    labels = torch.randint(0, 3, (120,), generator=generator)
    features = torch.rand(120, 6, 7, 7, generator=generator)
    for roi, label in enumerate(
        labels.tolist()
    ):  # each class shows in a place and in two channels of its own
        features[roi, 2 * label : 2 * label + 2, 2 * label : 2 * label + 2, 1:5] += 1.5
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(200, 3))
    optimiser = torch.optim.Adam(head.parameters(), 3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(head(features), labels).backward()
        optimiser.step()
    sure = head(features).softmax(1)[torch.arange(120), labels]
    assert sure.mean() > 0.95
    falls = {}
    for inversion in (Inversion.SOFT, Inversion.RANDOM):
        options = InvertedOptions(inversion=inversion)
        gradients = score_gradients(features, labels, head, head)
        factor = inverted_attention(features, gradients, options, seeded(1))
        unsure = head(features * factor).softmax(1)[torch.arange(120), labels]
        falls[inversion] = float((sure - unsure).mean().detach())
    assert falls[Inversion.SOFT] > 0.05
    assert falls[Inversion.SOFT] > 2 * falls[Inversion.RANDOM]


def test_it_costs_less_than_a_quarter_of_the_heads_training() -> None:
    # Plain functions: the counter's own hooks on modules do not bear torch.autograd.grad.
    kernels = [torch.rand(64, 64, 3, 3, requires_grad=True) for _ in range(2)]
    matrix = torch.rand(21, 64 * 49, requires_grad=True)

    def head(x: Tensor) -> Tensor:
        x = functional.conv2d(
            functional.conv2d(x, kernels[0], stride=2, padding=1).relu(), kernels[1], padding=1
        )
        return functional.linear(x.flatten(1), matrix)

    features = torch.rand(40, 64, 14, 14, requires_grad=True)
    labels, everyone = torch.zeros(40, dtype=torch.int64), torch.ones(40, dtype=torch.bool)

    def cost(inverting: bool) -> int:
        with FlopCounterMode(display=False) as counter:
            seen = features * 1
            if inverting:
                options, nothing = InvertedOptions(), nn.Identity()
                seen = invert(seen, labels, everyone, head, nothing, options=options, generator=seeded())
            functional.cross_entropy(head(seen), labels).backward()
        return int(counter.get_total_flops())

    assert 1 < cost(True) / cost(False) < 1.15


def test_ranks_are_worked_out_in_single_precision_under_autocast() -> None:
    head, labels = linear_head(5, 7, 3).float(), torch.tensor([0, 1, 2, 1])
    features = torch.rand(4, 5, 7, 7).bfloat16()
    options, everyone = InvertedOptions(rois=1.0), torch.ones(4, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        gradient = score_gradients(features, labels, head, head)
        cells, channels = sensitivity(features, gradient)
        found = invert(features, labels, everyone, head, head, options=options, generator=seeded())
        functional.cross_entropy(head(found), labels).backward()
    assert cells.dtype == channels.dtype == torch.float32
    assert found.dtype == torch.bfloat16
    assert (found == 0).flatten(1).sum(1).tolist() == [16 * 4] * 4
    assert head.get_parameter("1.weight").grad is not None


def test_settings_are_told_where_they_make_no_sense() -> None:
    with pytest.raises(ValueError, match="inversion hard weighs cells: expected suppression spatial or both"):
        InvertedOptions(suppression=Suppression.CHANNEL, inversion=Inversion.HARD)
    with pytest.raises(ValueError, match="cells"):
        InvertedOptions(cells=1.2)
    assert np.isclose(InvertedOptions().cells, 0.33)

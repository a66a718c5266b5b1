"""ALS: sizes of its nets, which loss reaches which part, what the mask teaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from spotlabel.detector.regions.attention.options import SeparationOptions
from spotlabel.detector.regions.attention.separation import (
    LayerSeparation,
    attention_loss,
    attention_net,
    on_canvas,
)

torch.set_num_threads(1)

FULL = torch.tensor([[8, 8]])


def small(detach: bool = False) -> LayerSeparation:
    torch.manual_seed(0)
    return LayerSeparation(4, SeparationOptions(hidden=8, detach_cascade=detach)).double()


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor | None]:
    return list(torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, retain_graph=True))


def reached(loss: Tensor, module: nn.Module) -> bool:
    return all(g is not None and bool((g != 0).any()) for g in gradients(loss, module))


def untouched(loss: Tensor, module: nn.Module) -> bool:
    return all(g is None or not bool((g != 0).any()) for g in gradients(loss, module))


def test_an_attention_net_has_the_papers_size_and_cost() -> None:
    with torch.device("meta"):
        net = attention_net(1024, 2048, 2.0)
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 1024, 38, 63))
    assert sum(p.numel() for p in net.parameters()) == 6_297_601
    assert counter.get_total_flops() / 2 == pytest.approx(15.07e9, rel=1e-3)


def test_both_nets_are_their_own_and_start_almost_open() -> None:
    module = LayerSeparation(1024, SeparationOptions())
    assert sum(p.numel() for p in module.parameters()) == 2 * 6_297_601
    storages = {p.untyped_storage().data_ptr() for p in module.parameters()}
    assert len(storages) == len(list(module.parameters())) == 12
    for net in (module.loc, module.cls):
        net.get_parameter("4.weight").data.zero_()
    found = module(torch.ones(1, 1024, 1, 2))
    assert torch.allclose(found.loc, torch.full((1, 1024, 1, 2), 0.880797))
    assert torch.allclose(found.cls, torch.full((1, 1024, 1, 2), 0.880797))


def test_the_cascade_is_the_papers() -> None:
    module, feature = small(), torch.rand(2, 4, 3, 5, dtype=torch.float64)
    found = module(feature)
    loc = feature * torch.sigmoid(module.loc(feature))
    assert torch.equal(found.loc, loc)
    assert torch.equal(found.cls_logits, module.cls(loc))  # reads what the first attention lets pass
    assert torch.equal(found.cls, feature * found.cls_logits.sigmoid())  # and weighs the map itself
    assert found.loc_logits.shape == found.cls_logits.shape == (2, 1, 3, 5)


@pytest.mark.parametrize("detach", [False, True])
def test_each_loss_reaches_what_it_should_alone(detach: bool) -> None:
    module = small(detach)
    towers = [nn.Conv2d(4, 3, 3, dtype=torch.float64) for _ in range(2)]
    feature = torch.rand(2, 4, 5, 5, dtype=torch.float64)
    found = module(feature)
    box_loss = towers[0](found.loc).square().sum()
    class_loss = towers[1](found.cls).square().sum()
    mask = torch.rand(2, 1, 10, 10, dtype=torch.float64)
    taught = attention_loss(found.loc_logits, mask, torch.ones_like(mask), torch.tensor([[10, 10]] * 2))
    assert untouched(class_loss, towers[0])
    assert untouched(box_loss, towers[1])
    assert reached(box_loss, module.loc)
    assert untouched(box_loss, module.cls)
    assert reached(taught, module.loc)
    assert untouched(taught, module.cls)
    assert reached(class_loss, module.cls)
    assert untouched(class_loss, module.loc) if detach else reached(class_loss, module.loc)


def test_open_gates_leave_the_feature_as_it_is() -> None:
    module, feature = small(), torch.rand(1, 4, 6, 6, dtype=torch.float64)
    for net in (module.loc, module.cls):
        net.get_parameter("4.bias").data.fill_(20.0)
    found = module(feature)
    assert (found.loc - feature).abs().max() < 1e-6
    assert (found.cls - feature).abs().max() < 1e-6


def test_gradients_are_those_of_finite_differences() -> None:
    module = small()
    feature = torch.rand(1, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: tuple(module(x)), (feature,))


def test_a_cell_learns_its_share_of_object_pixels() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :2, :4] = 1  # half of the first cell
    mask[..., 4:, 4:] = 1  # all of the last
    logits = torch.tensor([[0.5, -1.0], [2.0, 3.0]]).view(1, 1, 2, 2)
    expected = functional.binary_cross_entropy_with_logits(
        logits, torch.tensor([[0.5, 0.0], [0.0, 1.0]]).view(1, 1, 2, 2)
    )
    assert attention_loss(logits, mask, torch.ones_like(mask), FULL) == pytest.approx(float(expected))


def test_unknown_pixels_and_padding_teach_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 1, 2, 2, generator=generator).requires_grad_()
    mask = torch.rand(2, 1, 8, 8, generator=generator)
    known, extent = torch.ones(2, 1, 8, 8), torch.tensor([[8, 8], [4, 8]])
    known[0, :, :4, 4:] = 0
    loss = attention_loss(logits, mask, known, extent)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient != 0).tolist() == [[[[True, False], [True, True]]], [[[True, True], [False, False]]]]
    noise = torch.rand(2, 1, 8, 8, generator=generator)
    hidden = known.clone()
    hidden[1, :, 4:] = 0
    assert attention_loss(logits, torch.where(hidden > 0, mask, noise), known, extent) == loss


def test_where_nothing_is_known_the_loss_is_zero_and_so_is_its_gradient() -> None:
    logits = torch.randn(1, 1, 2, 2, requires_grad=True)
    loss = attention_loss(logits, torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), FULL)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss == 0
    assert (gradient == 0).all()


pixels = hnp.arrays(np.float64, (2, 1, 6, 9), elements=st.floats(0, 1))
known_pixels = hnp.arrays(np.bool_, (2, 1, 6, 9))


@settings(max_examples=50)
@given(
    pixels,
    known_pixels,
    hnp.arrays(np.float64, (2, 1, 2, 3), elements=st.floats(-30, 30)),
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), min_size=2, max_size=2),
)
def test_the_loss_is_the_mean_over_counted_pixels_of_what_their_cells_say(
    mask: np.ndarray, known: np.ndarray, logits: np.ndarray, extents: list[tuple[int, int]]
) -> None:
    entropies = []
    for b, row, column in np.ndindex(2, 6, 9):
        if known[b, 0, row, column] and row < extents[b][0] and column < extents[b][1]:
            logit, target = logits[b, 0, row // 3, column // 3], mask[b, 0, row, column]
            entropies.append(np.logaddexp(0, logit) - target * logit)
    found = attention_loss(
        torch.from_numpy(logits),
        torch.from_numpy(mask),
        torch.from_numpy(known).double(),
        torch.tensor(extents),
    )
    assert float(found) == pytest.approx(np.mean(entropies) if entropies else 0.0, rel=1e-9, abs=1e-12)


def test_processes_that_share_their_counts_average_to_one_process() -> None:
    generator = torch.Generator().manual_seed(5)
    logits, mask = torch.randn(2, 1, 2, 2, generator=generator), torch.rand(2, 1, 8, 8, generator=generator)
    known, extent = torch.ones(2, 1, 8, 8), torch.tensor([[8, 8], [8, 8]])
    known[1, :, :, 1:] = 0
    together = attention_loss(logits, mask, known, extent)
    mean_weight = torch.stack([known[b].mean() * 4 for b in (0, 1)]).mean()
    apart = [
        attention_loss(
            logits[b : b + 1], mask[b : b + 1], known[b : b + 1], extent[b : b + 1], lambda _: mean_weight
        )
        for b in (0, 1)
    ]
    assert torch.stack(apart).mean() == pytest.approx(float(together), rel=1e-6)


@pytest.mark.parametrize("shape", [(8, 12), (9, 9), (1, 1)])
def test_a_mask_that_does_not_fit_is_refused(shape: tuple[int, int]) -> None:
    mask = torch.zeros(1, 1, *shape)
    with pytest.raises(ValueError, match=f"mask of {shape[0]}x{shape[1]} over a feature map of 2x2"):
        attention_loss(torch.zeros(1, 1, 2, 2), mask, mask, FULL)


def test_the_map_on_the_canvas_keeps_its_places() -> None:
    logits = torch.full((1, 1, 4, 6), -5.0)
    logits[0, 0, 1, 4] = 5.0
    drawn = on_canvas(logits, (64, 96))
    assert drawn.shape == (1, 64, 96)
    rows, columns = torch.where(drawn[0] > 0)
    assert (float(rows.double().mean()), float(columns.double().mean())) == (23.5, 71.5)

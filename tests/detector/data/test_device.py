"""Views worked out on the device: places of pixels must be exact whatever precision products have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from spotlabel.detector.data.device import warp

torch.set_num_threads(1)
CANVAS = (96, 128)


def planes() -> Tensor:
    """Columns and rows of 600 x 800 pixels as values: a warped pixel tells where it was taken from."""
    y, x = torch.meshgrid(torch.arange(600.0), torch.arange(800.0), indexing="ij")
    return torch.stack([x, y])[None]


def views() -> Tensor:
    """From canvas to image: as it is, with a zoom and a shift, and turned."""
    turn = np.deg2rad(20)
    rows = [
        [[1, 0, 40], [0, 1, 30]],
        [[5.3, 0, 11.25], [0, 5.3, 7.5]],
        [[3 * np.cos(turn), -3 * np.sin(turn), 180], [3 * np.sin(turn), 3 * np.cos(turn), 61.7]],
    ]
    return torch.tensor(np.array(rows), dtype=torch.float32)


def places(back: Tensor) -> tuple[Tensor, Tensor]:
    """Where every canvas pixel comes from, in double precision: x and y, [B, H, W]."""
    y, x = torch.meshgrid(torch.arange(CANVAS[0]), torch.arange(CANVAS[1]), indexing="ij")
    found = torch.einsum("bij,hwj->ibhw", back.double(), torch.stack([x, y, torch.ones_like(x)], 2).double())
    return found[0], found[1]


@pytest.mark.parametrize("narrow", [False, True])
def test_every_pixel_comes_from_its_place(narrow: bool) -> None:
    back = views()
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        found = warp(planes().expand(3, -1, -1, -1), back, CANVAS)
    x, y = places(back)
    inside = (x >= 0) & (x <= 799) & (y >= 0) & (y <= 599)
    assert inside.float().mean() > 0.9
    for values, wanted in zip(found.unbind(1), (x, y), strict=True):
        assert values.dtype == torch.float32
        assert float((values - wanted)[inside].abs().max()) < 1e-3


def test_precision_of_products_changes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    source = planes().expand(3, -1, -1, -1)
    exact = warp(source, views(), CANVAS)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(warp(source, views(), CANVAS), exact)
    finally:
        torch.set_float32_matmul_precision(before)

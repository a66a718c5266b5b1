"""Anchors: boxes of a few sizes and shapes around every cell (Ren et al., NIPS 2015, section 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """Anchors around the origin, with whole corners as in torchvision.

    Args:
        sizes: square roots of their areas, in pixels.
        ratios: heights over widths.

    Returns:
        float32 [len(ratios) * len(sizes), 4]; the sizes of the first ratio come first.
    """
    size = torch.tensor(sizes, dtype=torch.float32)
    stretch = torch.tensor(ratios, dtype=torch.float32).sqrt()
    width = (1 / stretch[:, None] * size).flatten()
    height = (stretch[:, None] * size).flatten()
    return (torch.stack([-width, -height, width, height], dim=1) / 2).round()


def grid_anchors(cells: Tensor, grid: tuple[int, int], stride: int) -> Tensor:
    """The anchors of a feature map: :func:`cell_anchors` moved to the upper left corner of every cell.

    Args:
        cells: [A, 4].
        grid: height and width of the map.
        stride: canvas pixels per cell.

    Returns:
        [h * w * A, 4], row by row, the A anchors of a cell together: the order of a head's outputs.
    """
    height, width = grid
    y = torch.arange(height, device=cells.device, dtype=cells.dtype) * stride
    x = torch.arange(width, device=cells.device, dtype=cells.dtype) * stride
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    corners = torch.stack([columns, rows, columns, rows], dim=-1).view(-1, 1, 4)
    return (corners + cells).view(-1, 4)

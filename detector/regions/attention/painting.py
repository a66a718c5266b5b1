"""Maps of RoIs brought together on one canvas."""

from __future__ import annotations

import torch
from torch import Tensor

from spotlabel.detector.contract import Found

SURE = 0.3
"""Attention is painted in boxes of this score or more: hundreds of doubtful ones would hide the picture."""


def paint_found(maps: Tensor, found: Found, size: tuple[int, int]) -> Tensor:
    """Maps of the boxes that were found in B pictures, those of sure boxes alone.

    Args:
        maps: float [B * K, S, S], not negative.
        found: K boxes of each picture.
        size: height and width of the canvas.

    Returns:
        float32 [B, H, W]; see :func:`paint`.
    """
    apart = maps.float().view(*found.scores.shape, *maps.shape[1:])
    sure = found.scores >= SURE
    pictures = zip(apart, found.boxes, sure, strict=True)
    return torch.stack([paint(own[keep], boxes[keep], size) for own, boxes, keep in pictures])


def paint(maps: Tensor, rois: Tensor, size: tuple[int, int]) -> Tensor:
    """Each map stretched over its RoI, bilinear between cells; the largest value where RoIs overlap.

    Args:
        maps: float [N, S, S], not negative.
        rois: float [N, 4], x0, y0, x1, y1 in canvas pixels (edges); may reach off the canvas.
        size: height and width of the canvas.

    Returns:
        [H, W]; 0 outside all RoIs.
    """
    x0, y0, x1, y1 = rois.to(maps.dtype).unbind(1)
    rows = _weights(y0, y1, size[0], maps.shape[1])  # [N, H, S]
    columns = _weights(x0, x1, size[1], maps.shape[2])  # [N, W, S]
    canvas = maps.new_zeros(size)
    for index, shares in enumerate(maps):  # one by one: N canvases are too many
        canvas = torch.maximum(canvas, rows[index] @ shares @ columns[index].T)
    return canvas


def _weights(low: Tensor, high: Tensor, pixels: int, cells: int) -> Tensor:
    """How much each cell gives to each pixel along one side of RoIs [n]: [n, pixels, cells]."""
    middle = torch.arange(pixels, device=low.device, dtype=low.dtype) + 0.5
    offset, extent = middle - low[:, None], (high - low)[:, None]
    inside = (offset >= 0) & (offset < extent)
    # The first and the last cell reach to the RoI's edges.
    place = (offset / torch.where(extent > 0, extent, 1) * cells - 0.5).clamp(0, cells - 1)
    cell = torch.arange(cells, device=low.device, dtype=low.dtype)
    return (1 - (place.unsqueeze(2) - cell).abs()).relu() * inside.unsqueeze(2)

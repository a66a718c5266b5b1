"""Features of regions, all of one size: RoIAlign, RoIPool, and the level of a pyramid to read from.

RoIAlign: He et al., ICCV 2017, section 3. RoIPool: Girshick, ICCV 2015, section 2.1. Levels: Lin et al.,
CVPR 2017, equation 1. The numbers are torchvision's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.regions.boxes import area

CANONICAL_SIZE, CANONICAL_LEVEL = 224, 4
"""A region as large as ImageNet's pictures is read from the map of stride 2^4."""


class Pooling(StrEnum):
    """How the cells of a region become a grid of fixed size."""

    ALIGN = "align"
    """RoIAlign: means of four interpolated points."""
    POOL = "pool"
    """RoIPool: maxima of whole cells; for one feature map."""


def roi_align(
    maps: Sequence[Tensor],
    strides: Sequence[int],
    rois: Tensor,
    size: int,
    *,
    samples: int = 2,
    half_pixel: bool = False,
) -> Tensor:
    """RoIAlign from one feature map, or for each region from the level that its size asks for.

    Every cell of the result is a weighted sum of ``4 * samples**2`` rows of a table of all cells: one call,
    whatever the levels, whose memory is that of its result.

    Args:
        maps: one [B, C, h, w] per stride.
        strides: canvas pixels per cell, powers of two, each twice the one before.
        rois: [B, R, 4] in canvas pixels.
        size: cells of the result in each direction.
        samples: points per cell in each direction.
        half_pixel: cells have their values in their middle ("aligned"); else, as in torchvision's Faster
            R-CNN, at their upper left corner, and no region is narrower than a cell.

    Returns:
        [B, R, C, size, size].
    """
    batch, count = rois.shape[:2]
    channels = maps[0].shape[1]
    level = region_levels(rois, strides)  # [B, R]
    height, width, stride, start = _by_level(level, maps, strides)
    scaled = rois.to(_wide(rois)) / stride.unsqueeze(2) - (0.5 if half_pixel else 0)
    span = scaled[..., 2:] - scaled[..., :2]
    span = span if half_pixel else span.clamp(min=1)
    columns = _interpolation(_points(scaled[..., 0:1], span[..., 0:1], size, samples), width)
    rows = _interpolation(_points(scaled[..., 1:2], span[..., 1:2], size, samples), height)
    picture = torch.arange(batch, device=rois.device).view(-1, 1) * (height * width) + start
    places = (
        picture.view(batch, count, 1, 1)
        + rows[0].flatten(2).unsqueeze(3) * width.view(batch, count, 1, 1)
        + columns[0].flatten(2).unsqueeze(2)
    )
    weights = rows[1].flatten(2).unsqueeze(3) * columns[1].flatten(2).unsqueeze(2) / samples**2
    table = torch.cat([x.permute(0, 2, 3, 1).reshape(-1, channels) for x in maps])
    found = functional.embedding_bag(
        _bags(places, size),
        table.to(_wide(table)),
        mode="sum",
        per_sample_weights=_bags(weights, size).to(_wide(table)),
    )
    return found.to(table.dtype).view(batch, count, size, size, channels).permute(0, 1, 4, 2, 3)


def region_levels(rois: Tensor, strides: Sequence[int]) -> Tensor:
    """Which of the maps each region [..., 4] is read from: int64 [...], 0 for the finest."""
    finest = int(math.log2(strides[0]))
    # torchvision's 1e-6, so that 224 itself does not fall to the level below by rounding.
    level = CANONICAL_LEVEL + (area(rois).clamp(min=0).sqrt() / CANONICAL_SIZE).log2() + 1e-6
    return (level.floor().clamp(finest, finest + len(strides) - 1) - finest).long()


def roi_pool(feature: Tensor, stride: int, rois: Tensor, size: int) -> Tensor:
    """RoIPool: the maximum of the whole cells that each part of a region touches; 0 where it touches none.

    Maxima over windows of 1, 2, 4... cells are made once; the maximum of any window is that of four of them.

    Args:
        feature: [B, C, h, w].
        stride: canvas pixels per cell.
        rois: [B, R, 4] in canvas pixels; what reaches off the map is cut off.
        size: cells of the result in each direction.

    Returns:
        [B, R, C, size, size].
    """
    batch, channels, height, width = feature.shape
    count = rois.shape[1]
    cells = _round_half_away(rois.to(_wide(rois)) / stride)  # the last one belongs to the region
    x0, x1 = _parts(cells[..., 0], cells[..., 2], size, width)  # each [B, R, size]
    y0, y1 = _parts(cells[..., 1], cells[..., 3], size, height)
    top, left = _log2(y1 - y0), _log2(x1 - x0)
    tall, wide = (int(math.log2(min(side, -(-(side + 1) // size) + 1))) + 1 for side in (height, width))
    table, starts = _maxima(feature, tall, wide)
    kind = top.unsqueeze(3) * wide + left.unsqueeze(2)  # [B, R, size, size]
    across = width + 1 - (1 << left).unsqueeze(2)
    down = height + 1 - (1 << top).unsqueeze(3)
    picture = torch.arange(batch, device=rois.device).view(-1, 1, 1, 1) * (down * across)
    start = starts.to(rois.device)[kind] + picture
    ys = torch.stack([y0, y1 - (1 << top)], dim=3).unsqueeze(3).unsqueeze(5)  # [B, R, size, 1, 2, 1]
    xs = torch.stack([x0, x1 - (1 << left)], dim=3).unsqueeze(2).unsqueeze(4)  # [B, R, 1, size, 1, 2]
    places = start[..., None, None] + ys * across[..., None, None] + xs
    empty = (y1 <= y0).unsqueeze(3) | (x1 <= x0).unsqueeze(2)  # [B, R, size, size]
    bags = places.flatten(4).masked_fill(empty.unsqueeze(4), 0).view(-1, 4)
    found = functional.embedding_bag(bags, table.to(_wide(table)), mode="max").to(table.dtype)
    cut = found.view(batch, count, size, size, channels).masked_fill(empty.unsqueeze(4), 0)
    return cut.permute(0, 1, 4, 2, 3)


def _by_level(level: Tensor, maps: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, ...]:
    """Height, width, stride and first row in the table of the map of each region: four of [B, R]."""
    batch = maps[0].shape[0]
    cells = [batch * x.shape[2] * x.shape[3] for x in maps]
    facts = [
        [x.shape[2] for x in maps],
        [x.shape[3] for x in maps],
        list(strides),
        list(accumulate(cells[:-1], initial=0)),
    ]
    height, width, stride, start = torch.tensor(facts, device=level.device)[:, level].unbind(0)
    return height, width, stride, start


def _points(start: Tensor, span: Tensor, size: int, samples: int) -> Tensor:
    """Points [B, R, size * samples] along sides that begin at ``start`` and are ``span`` long [B, R, 1]."""
    number = torch.arange(size * samples, device=start.device)
    part, within = number // samples, number % samples + 0.5
    # Summed in torchvision's order: far from the origin, single precision leaves little room.
    return start + part * (span / size) + within * (span / size) / samples


def _interpolation(points: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """The two cells between which points [B, R, S] lie, on axes of ``length`` [B, R], and their weights.

    Points more than a cell outside count nothing; nearer ones take the value at the edge.
    """
    last = length.unsqueeze(2) - 1
    inside = (points >= -1) & (points <= last + 1)
    points = torch.minimum(points.clamp(min=0), last.to(points.dtype))
    lower = points.floor()
    share = points - lower
    cells = torch.stack([lower, torch.minimum(lower + 1, last.to(points.dtype))], dim=3).long()
    return cells, torch.stack([1 - share, share], dim=3) * inside.unsqueeze(3)


def _bags(values: Tensor, size: int) -> Tensor:
    """[B, R, size*k, size*k] to [B*R*size*size, k*k]: what belongs to one cell of the result in a row."""
    part = values.shape[2] // size
    tiles = values.view(-1, size, part, size, part).transpose(2, 3)
    return tiles.reshape(-1, part * part)


def _round_half_away(x: Tensor) -> Tensor:
    """Rounded as C does, halves away from zero; torch rounds them to even numbers."""
    return torch.copysign((x.abs() + 0.5).floor(), x)


def _parts(first: Tensor, last: Tensor, size: int, length: int) -> tuple[Tensor, Tensor]:
    """First cell and the one behind the last of each part of regions [B, R]: two of [B, R, size]."""
    first, last = first.clamp(0, length), last.clamp(0, length)
    span = (last - first + 1).clamp(min=1) / size
    part = torch.arange(size, device=first.device, dtype=first.dtype)
    begin = (part * span.unsqueeze(2)).floor() + first.unsqueeze(2)
    end = ((part + 1) * span.unsqueeze(2)).ceil() + first.unsqueeze(2)
    return begin.clamp(max=length).long(), end.clamp(max=length).long()


def _log2(count: Tensor) -> Tensor:
    """Floor of the binary logarithm of counts; 0 of those below 2."""
    return torch.frexp(count.clamp(min=1).double()).exponent.long() - 1


def _maxima(feature: Tensor, tall: int, wide: int) -> tuple[Tensor, Tensor]:
    """Maxima over windows of 2^i x 2^j cells, i < ``tall``, j < ``wide``.

    Returns:
        All of them as rows [., C], and int64 [tall * wide], the first row of each kind.
    """
    rows: list[Tensor] = []
    high = feature.permute(0, 2, 3, 1)  # [B, h, w, C]
    for i in range(tall):
        high = high if i == 0 else _larger(high, 1 << (i - 1), 1)
        window = high
        for j in range(wide):
            window = window if j == 0 else _larger(window, 1 << (j - 1), 2)
            rows.append(window.reshape(-1, feature.shape[1]))
    return torch.cat(rows), torch.tensor(list(accumulate((len(r) for r in rows[:-1]), initial=0)))


def _larger(x: Tensor, shift: int, dim: int) -> Tensor:
    """The larger of every value and the one ``shift`` behind it."""
    length = x.shape[dim] - shift
    return torch.maximum(x.narrow(dim, 0, length), x.narrow(dim, shift, length))


def _wide(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32

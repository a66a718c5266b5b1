"""Boxes as tensors [..., 4]: x0, y0, x1, y1 in canvas pixels, edges, half-open.

Coding: R-CNN (Girshick et al., CVPR 2014, appendix C): shift of the centre in sizes of the reference box,
logarithm of the ratio of the sizes, each times a weight.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Weights = tuple[float, float, float, float]

LARGEST_LOG_RATIO = math.log(1000 / 16)
"""No box is decoded more than 62.5 times as wide or high as its reference: an early guess would overflow."""


def area(boxes: Tensor) -> Tensor:
    """Areas [...] of boxes [..., 4]; negative where a box is turned inside out."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every box with every other.

    Args:
        first: [..., N, 4].
        second: [..., M, 4].

    Returns:
        [..., N, M] in [0, 1]; 0 between two boxes without area.
    """
    # Plane by plane: four contiguous planes are much faster to broadcast than one with pairs inside.
    ax0, ay0, ax1, ay1 = (x.unsqueeze(-1) for x in first.unbind(-1))
    bx0, by0, bx1, by1 = (x.unsqueeze(-2) for x in second.unbind(-1))
    width = (torch.minimum(ax1, bx1) - torch.maximum(ax0, bx0)).clamp_(min=0)
    height = (torch.minimum(ay1, by1) - torch.maximum(ay0, by0)).clamp_(min=0)
    inter = width.mul_(height)
    union = (area(first).unsqueeze(-1) + area(second).unsqueeze(-2)).sub_(inter)
    return torch.where(union > 0, inter / union, 0)


def clip(boxes: Tensor, extent: Tensor) -> Tensor:
    """Boxes cut off where the picture ends.

    Args:
        boxes: [B, ..., 4].
        extent: [B, 2], height and width of each picture.
    """
    size = extent.to(boxes.dtype).flip(1).repeat(1, 2)  # [B, 4]: w, h, w, h
    most = size.view(-1, *(1 for _ in boxes.shape[1:-1]), 4)
    return torch.minimum(boxes.clamp(min=0), most)


def large_enough(boxes: Tensor, least: float) -> Tensor:
    """Bool [...]: width and height are at least ``least``."""
    return ((boxes[..., 2:] - boxes[..., :2]) >= least).all(-1)


def encode(boxes: Tensor, references: Tensor, weights: Weights) -> Tensor:
    """What a network has to say for ``boxes``, seen from ``references``; the inverse of :func:`decode`.

    Args:
        boxes: [..., 4] of positive width and height.
        references: [..., 4], anchors or proposals, of positive width and height.
        weights: factors of x, y, width and height.

    Returns:
        [..., 4]: dx, dy, dw, dh.
    """
    size, centre = _size_and_centre(boxes)
    own_size, own_centre = _size_and_centre(references)
    shift = (centre - own_centre) / own_size
    return torch.cat([shift, (size / own_size).log()], dim=-1) * boxes.new_tensor(weights)


def decode(deltas: Tensor, references: Tensor, weights: Weights) -> Tensor:
    """The boxes that a network means.

    Args:
        deltas: [..., 4], see :func:`encode`; dw and dh are cut at log(1000 / 16).
        references: [..., 4], broadcast against ``deltas``.
        weights: factors of x, y, width and height.

    Returns:
        [..., 4].
    """
    plain = deltas / deltas.new_tensor(weights)
    size, centre = _size_and_centre(references)
    middle = plain[..., :2] * size + centre
    half = plain[..., 2:].clamp(max=LARGEST_LOG_RATIO).exp() * size / 2
    return torch.cat([middle - half, middle + half], dim=-1)


def _size_and_centre(boxes: Tensor) -> tuple[Tensor, Tensor]:
    size = boxes[..., 2:] - boxes[..., :2]
    return size, boxes[..., :2] + size / 2

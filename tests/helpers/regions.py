"""Batches of the contract for the tests of region-based detectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spotlabel.detector.contract import Batch


def batch_of(
    image: Tensor,
    boxes: Sequence[Sequence[Sequence[float]]],
    classes: Sequence[Sequence[int]],
    extent: Sequence[tuple[int, int]] | None = None,
    slots: int = 6,
) -> Batch:
    """Pictures [B, 3, H, W], their boxes and classes, as the network is given them; all is labelled."""
    count, _, height, width = image.shape
    placed = torch.zeros(count, slots, 4, dtype=image.dtype)
    labels = torch.zeros(count, slots, dtype=torch.int64)
    present = torch.zeros(count, slots, dtype=torch.bool)
    for picture, (own, kinds) in enumerate(zip(boxes, classes, strict=True)):
        placed[picture, : len(own)] = torch.tensor(own, dtype=image.dtype).reshape(-1, 4)
        labels[picture, : len(own)] = torch.tensor(kinds, dtype=torch.int64)
        present[picture, : len(own)] = True
    plane = torch.ones(count, 1, height, width, dtype=image.dtype)
    return Batch(
        image=image,
        extent=torch.tensor(extent or [(height, width)] * count),
        boxes=placed,
        classes=labels,
        present=present,
        mask=torch.zeros_like(plane),
        known=plane.clone(),
        labelled=plane,
    )


def noise(count: int, height: int = 64, width: int = 128, seed: int = 0) -> Tensor:
    """float64 [count, 3, height, width]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, height, width, generator=generator, dtype=torch.float64)

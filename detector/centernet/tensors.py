"""What losses, targets and decoder of CenterNet share about maps."""

from __future__ import annotations

from torch import Tensor

Outputs = dict[str, Tensor]
"""What the heads say of one feature map, by the name of the head."""


def gather_cells(maps: Tensor, ind: Tensor) -> Tensor:
    """Values at cells: maps [B, C, h, w], ind [B, K] (y * w + x) to [B, K, C]."""
    flat = maps.flatten(2).transpose(1, 2)  # [B, h*w, C]
    return flat.gather(1, ind.unsqueeze(2).expand(-1, -1, maps.shape[1]))

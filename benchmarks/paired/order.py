"""Which pictures a step sees."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(seed: int, images: int, batch: int, iterations: int) -> Iterator[Tensor]:
    """Indices int64 [batch] of each step: one random order of all images after the other, without a gap."""
    random = torch.Generator().manual_seed(seed)
    waiting = torch.empty(0, dtype=torch.int64)
    for _ in range(iterations):
        while len(waiting) < batch:
            waiting = torch.cat([waiting, torch.randperm(images, generator=random)])
        yield waiting[:batch]
        waiting = waiting[batch:]

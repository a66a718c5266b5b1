"""A fixed number of boxes from each picture, positives and negatives in proportion."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spotlabel.detector.regions.matching import NEGATIVE, POSITIVE


class Sample(NamedTuple):
    """The boxes of B pictures that are trained on, S of each.

    Attributes:
        chosen: int64 [B, S], places of the boxes, positives first.
        positive: bool [B, S].
        valid: bool [B, S]; False fills up where a picture has too few.
    """

    chosen: Tensor
    positive: Tensor
    valid: Tensor


def balanced_sample(
    label: Tensor, count: int, share: float, generator: torch.Generator | None = None
) -> Sample:
    """Draw at random from each picture: positives up to their share, then negatives.

    Args:
        label: int64 [B, N]: 1 positive, 0 negative, anything else is never drawn.
        count: boxes of a picture; N if that is less.
        share: largest share of positives, in [0, 1].
        generator: on the CPU, so that every device draws alike; None takes torch's default one.

    Returns:
        See :class:`Sample`; without repetition.
    """
    batch, total = label.shape
    count = min(count, total)
    # Ranks, not random reals: two equal ones would be ordered by whatever the device likes.
    ranks = torch.stack([torch.randperm(total, generator=generator) for _ in range(batch)]).to(label.device)
    first = torch.where(label == POSITIVE, ranks, -1).topk(int(count * share), dim=1)
    chosen = torch.zeros_like(label, dtype=torch.bool).scatter(1, first.indices, first.values >= 0)
    keys = torch.where(chosen, ranks + total, torch.where(label == NEGATIVE, ranks, -1))
    best = keys.topk(count, dim=1)
    return Sample(best.indices, best.values >= total, best.values >= 0)

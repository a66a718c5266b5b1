"""What a student's mistakes cost."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.teaching.material import Shown

DICE, PROJECTION = 0.5, 0.3
"""Weights of the other terms beside the cross entropy's 1."""


def loss(logits: Tensor, shown: Shown, dice: float = DICE, projection: float = PROJECTION) -> Tensor:
    """Weighted cross entropy, Dice of whole objects, and what is missing of rows and columns of boxes.

    An object reaches every row and every column of its box: half of the projection term of BoxInst (Tian et
    al., CVPR 2021).

    Args:
        logits: [B, S, S].
        shown: what was asked.
        dice: weight.
        projection: weight.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, shown.targets, reduction="none")
    total = (entropy * shown.weights).sum() / shown.weights.sum().clamp(min=1.0)
    probability = logits.sigmoid()
    mine, theirs = probability * shown.weights, shown.targets * shown.weights
    common = (mine * shown.targets).sum((1, 2))
    coefficient = (2 * common + 1) / (mine.sum((1, 2)) + theirs.sum((1, 2)) + 1)
    whole = shown.whole.to(coefficient.dtype)
    total = total + dice * ((1 - coefficient) * whole).sum() / whole.sum().clamp(min=1.0)
    return total + projection * _missed(probability, shown.within)


def _missed(probability: Tensor, within: Tensor) -> Tensor:
    """Mean of -log of the largest probability in each row and column of a box."""
    inside = probability * within
    terms = []
    for axis in (1, 2):
        reached, counts = inside.amax(axis), within.any(axis)
        terms.append(
            -torch.log(reached[counts].clamp(min=1e-4)).mean() if bool(counts.any()) else inside.sum()
        )
    return (terms[0] + terms[1]) / 2

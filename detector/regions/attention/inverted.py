"""IAN: training that takes away what a classification rests on, so that the rest is learnt, too.

Inverted attention network (Huang et al., "Improving object detection with inverted attention", WACV 2020,
section 3): the gradient of the true class's score tells which cells and channels of a RoI's feature a head is
most sensitive to; these are set to 0 in a share of the RoIs. It has no parameters, and detection is the plain
detector's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spotlabel.detector.regions.attention.options import (
    Inversion,
    InvertedOptions,
    Rounding,
    Sensitive,
    Suppression,
)
from spotlabel.detector.tensors import at_least_single, uncompiled

HARD_THRESHOLD = 0.5


@uncompiled
def invert(
    features: Tensor,
    labels: Tensor,
    eligible: Tensor,
    classify: Callable[[Tensor], Tensor],
    head: nn.Module,
    *,
    options: InvertedOptions,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Features of RoIs as they are trained on: some without what their class shows by most.

    Only the chosen RoIs go through the head a second time. The factor itself is a constant: no gradient
    flows through it.

    Args:
        features: [N, K, S, S], after RoI pooling, before the head.
        labels: int64 [N], column of the true class among the scores; 0 is background.
        eligible: bool [N], RoIs that are trained on.
        classify: features [M, K, S, S] to class logits [M, C + 1].
        head: everything that ``classify`` calls; its dropout and batch statistics rest meanwhile.
        options: see :class:`InvertedOptions`.
        generator: draws the RoIs and what is random; on the CPU, so that every device draws alike; None takes
            torch's default one.

    Returns:
        [N, K, S, S]; gradients flow to ``features``.
    """
    if options.positives_only:
        eligible = eligible & (labels > 0)
    chosen = choose_rois(eligible, options.rois, generator)
    if len(chosen) == 0:
        return features
    part = features[chosen]
    gradients = score_gradients(part, labels[chosen], classify, head, options.score)
    factor = inverted_attention(part.detach(), gradients, options, generator)
    return features.index_copy(0, chosen, (part * factor).to(features.dtype))


def choose_rois(eligible: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw RoIs without replacement.

    Args:
        eligible: bool [N].
        share: of the eligible ones, in [0, 1]; rounded to the nearest number.
        generator: see :func:`invert`.

    Returns:
        int64 [n], ascending.
    """
    (index,) = torch.where(eligible)
    order = torch.randperm(len(index), generator=generator)
    drawn = order[: whole(share * len(index), Rounding.NEAREST)].sort().values
    return index[drawn.to(index.device)]


def score_gradients(
    features: Tensor,
    labels: Tensor,
    classify: Callable[[Tensor], Tensor],
    head: nn.Module,
    score: Sensitive = Sensitive.LOGIT,
) -> Tensor:
    """Gradient of each RoI's score of its true class with respect to its feature.

    Gradients of the parameters are neither computed nor stored.

    Args:
        features: [N, K, S, S].
        labels: int64 [N].
        classify: features to class logits [N, C + 1]; RoIs must not influence one another.
        head: everything that ``classify`` calls; put into evaluation mode meanwhile.
        score: logit or softmax probability.

    Returns:
        [N, K, S, S], detached.
    """
    leaf = features.detach().requires_grad_()
    with torch.enable_grad(), _resting(head):
        scores = at_least_single(classify(leaf))
        if score is Sensitive.PROBABILITY:
            scores = scores.softmax(dim=1)
        true = scores.gather(1, labels.unsqueeze(1)).sum()
        (gradient,) = torch.autograd.grad(true, leaf)
    return gradient


def inverted_attention(
    features: Tensor,
    gradients: Tensor,
    options: InvertedOptions,
    generator: torch.Generator | None = None,
) -> Tensor:
    """What to multiply the features of RoIs with.

    Args:
        features: [N, K, S, S].
        gradients: [N, K, S, S], see :func:`score_gradients`.
        options: see :class:`InvertedOptions`.
        generator: see :func:`invert`; used under ``random`` and ``either`` alone.

    Returns:
        In [0, 1], without gradient, float32 unless the features are wider; broadcasts with the features:
        [N, 1, S, S] under ``spatial``, [N, K, 1, 1] under ``channel``, [N, K, S, S] under ``both``.
    """
    cells, channels = sensitivity(features.detach(), gradients.detach())
    suppression = options.suppression
    if suppression is Suppression.EITHER:
        first = torch.rand((), generator=generator) < 0.5
        suppression = Suppression.SPATIAL if first else Suppression.CHANNEL
    if suppression is Suppression.CHANNEL:
        return (~_top(channels, options.channels_alone, options, generator))[:, :, None, None].to(cells.dtype)
    kept = _inverted_cells(cells.flatten(1), options, generator).view_as(cells)[:, None]  # [N, 1, S, S]
    if suppression is Suppression.SPATIAL:
        return kept
    flagged = _top(channels, options.channels, options, generator)[:, :, None, None]
    return torch.where(flagged, kept, 1)


def sensitivity(features: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """How much a RoI's score rests on each cell and on each channel (section 3.1; Grad-CAM without ReLU).

    Args:
        features: [N, K, S, S].
        gradients: [N, K, S, S], of the score.

    Returns:
        Cells [N, S, S], the sum over the channels of weight times feature, and channels [N, K], their
        weights: means of the gradient over the cells. Both signed, float32 or float64.
    """
    weights = at_least_single(gradients).mean(dim=(2, 3))
    # Not a matrix product: autocast would work that out in half precision.
    return (weights[:, :, None, None] * at_least_single(features)).sum(dim=1), weights


def scaled(values: Tensor) -> Tensor:
    """Values [N, L] brought to [0, 1] row by row; 0 in rows that are constant."""
    low, high = values.aminmax(dim=1, keepdim=True)
    span = high - low
    return (values - low) / torch.where(span > 0, span, 1)


def whole(number: float, rounding: Rounding) -> int:
    """A whole number of things; halves go up under ``nearest``."""
    exact = round(number, 9)  # 0.1 * 3 is more than 0.3
    if rounding is Rounding.DOWN:
        return math.floor(exact)
    return math.ceil(exact) if rounding is Rounding.UP else math.floor(exact + 0.5)


def _inverted_cells(cells: Tensor, options: InvertedOptions, generator: torch.Generator | None) -> Tensor:
    """Factors [N, L] in [0, 1] of cells [N, L]."""
    if options.inversion is Inversion.HARD:
        return (scaled(cells) <= HARD_THRESHOLD).to(cells.dtype)
    if options.inversion is Inversion.OVERTURN:
        return 1 - scaled(cells)
    return (~_top(cells, options.cells, options, generator)).to(cells.dtype)


def _top(values: Tensor, share: float, options: InvertedOptions, generator: torch.Generator | None) -> Tensor:
    """Bool [N, L]: the share of each row with the largest values, or at random; the first of equals."""
    count = whole(share * values.shape[1], options.rounding)
    if options.inversion is Inversion.RANDOM:
        values = torch.rand(values.shape, generator=generator).to(values.device)
    order = values.argsort(dim=1, descending=True, stable=True)[:, :count]
    return torch.zeros_like(values, dtype=torch.bool).scatter_(1, order, True)


@contextmanager
def _resting(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while: no dropout, and no batch statistics, through which RoIs would interact."""
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True

"""Greedy non-maximum suppression: a box goes if it overlaps a better one that stays.

Written for the overlap matrix, the boxes that stay are a fixpoint: start with all, and let those suppress,
until nothing changes; the n-th best is settled after n rounds at the latest, and in practice after a few.
Blocks of boxes, best first, keep the matrix small. torchvision's kernels do the same where they can be
imported, and both answer alike.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from spotlabel.detector.regions.boxes import iou

BLOCK = 256
"""Boxes settled at a time: a block against 2,000 boxes still fits a core's cache."""


def keep_best(
    boxes: Tensor, scores: Tensor, threshold: float, count: int, *, groups: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The ``count`` best boxes of each picture that survive suppression.

    Args:
        boxes: float32 [B, N, 4].
        scores: [B, N]; -inf marks boxes that are none. Of equal scores the first is the better one.
        threshold: IoU above which the lesser of two boxes goes.
        count: boxes to keep of each picture.
        groups: int64 [B, N], at least 0; boxes suppress those of their own group alone. None: one group.

    Returns:
        int64 [B, min(count, N)], places of the boxes, best first, and bool of the same shape: False fills up
        where fewer survive.
    """
    apart = boxes if groups is None else set_apart(boxes, groups)
    suppress = suppress_with_torchvision if torchvision_nms() else suppress_in_blocks
    order = scores.argsort(dim=1, descending=True, stable=True)
    ranked = apart.gather(1, order.unsqueeze(2).expand(-1, -1, 4))
    kept = suppress(ranked, scores.gather(1, order) > -torch.inf, threshold, count)
    # A stable sort brings the survivors to the front without disturbing them.
    front = kept.byte().argsort(dim=1, descending=True, stable=True)[:, :count]
    return order.gather(1, front), kept.gather(1, front)


def set_apart(boxes: Tensor, groups: Tensor) -> Tensor:
    """Boxes [..., 4] moved so that those of different groups cannot touch.

    Double precision: far from the origin, single precision would round the boxes themselves.
    """
    exact = boxes.double()
    lowest, highest = exact.amin(), exact.amax()
    return exact + (groups * (highest - lowest + 1)).unsqueeze(-1)


@torch.no_grad()
def suppress_in_blocks(boxes: Tensor, valid: Tensor, threshold: float, count: int) -> Tensor:
    """Greedy suppression in plain PyTorch.

    Args:
        boxes: [B, N, 4], best first.
        valid: bool [B, N]; others neither stay nor suppress.
        threshold: IoU above which the lesser of two boxes goes.
        count: enough boxes; none is marked beyond the block that completes them in every picture.

    Returns:
        bool [B, N], the boxes that stay.
    """
    limit = floor_to(threshold, boxes.dtype)
    alive, kept = valid.clone(), torch.zeros_like(valid)
    for start in range(0, boxes.shape[1], BLOCK):
        block, rest = boxes[:, start : start + BLOCK], boxes[:, start + BLOCK :]
        stays = _settle(iou(block, block) > limit, alive[:, start : start + BLOCK])
        kept[:, start : start + BLOCK] = stays
        if rest.shape[1] == 0 or bool((kept.sum(1) >= count).all()):
            break
        hit = ((iou(block, rest) > limit) & stays.unsqueeze(2)).any(dim=1)
        alive[:, start + BLOCK :] &= ~hit
        if not bool(alive[:, start + BLOCK :].any()):
            break
    return kept


def _settle(overlap: Tensor, alive: Tensor) -> Tensor:
    """The fixpoint for overlap [B, M, M] among boxes of which ``alive`` [B, M] may stay."""
    # As numbers, so that "is hit by any" is one product of matrix and vector.
    hits = overlap.triu(1).to(torch.float32).transpose(1, 2)
    stays = alive
    while True:
        struck = (hits @ stays.to(torch.float32).unsqueeze(2)).squeeze(2) > 0
        after = alive & ~struck
        if torch.equal(after, stays):
            return stays
        stays = after


@torch.no_grad()
def suppress_with_torchvision(boxes: Tensor, valid: Tensor, threshold: float, count: int) -> Tensor:
    """As :func:`suppress_in_blocks`, by torchvision's kernel, picture by picture; marks all that stay."""
    nms = torchvision_nms()
    assert nms is not None
    kept = torch.zeros_like(valid)
    falling = torch.arange(boxes.shape[1], 0, -1, device=boxes.device, dtype=boxes.dtype)
    for picture, (own, use) in enumerate(zip(boxes, valid, strict=True)):
        places = use.nonzero()[:, 0]
        kept[picture, places[nms(own[places], falling[places], threshold)]] = True
    return kept


@cache
def torchvision_nms() -> Callable[[Tensor, Tensor, float], Tensor] | None:
    """The kernel of torchvision; None where the package is missing or does not fit this torch."""
    try:
        found = importlib.import_module("torchvision.ops").nms
        found(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, OSError, RuntimeError, AttributeError, NotImplementedError):
        return None
    kernel: Callable[[Tensor, Tensor, float], Tensor] = found
    return kernel


def floor_to(value: float, dtype: torch.dtype) -> float:
    """The largest number of ``dtype`` that is not above ``value``.

    Comparing with it answers as comparing with ``value`` in double precision does, which torchvision does.
    """
    nearest = torch.tensor(value, dtype=dtype)
    below = torch.nextafter(nearest, nearest.new_tensor(-torch.inf))
    return nearest.item() if nearest.item() <= value else below.item()

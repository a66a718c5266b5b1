"""Losses of CenterNet and SpotNet.

Heatmap: the penalty-reduced focal loss of CornerNet (Law & Deng, ECCV 2018, equation 1). Size and offset: L1
at the centres (CenterNet, section 3). Segmentation: binary cross-entropy (SpotNet, section III). All sums are
computed in single precision or better: the clamp at 1 - 1e-4 does not exist in bfloat16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.centernet.tensors import gather_cells
from spotlabel.detector.contract import Share, alone
from spotlabel.detector.family import Options
from spotlabel.detector.tensors import at_least_single

SCORE_FLOOR = 1e-4


class LossWeights(Options):
    """Factors of the terms in the total (CenterNet, Zhou et al. 2019; SpotNet adds ``seg``)."""

    hm: float = Field(default=1.0, ge=0)
    """Heatmap of the objects' centres: focal loss."""
    wh: float = Field(default=0.1, ge=0)
    """Width and height: L1, in cells of the output grid."""
    reg: float = Field(default=1.0, ge=0)
    """Offset of the centre within its cell: L1."""
    seg: float = Field(default=1.0, ge=0)
    """Segmentation, where the network has such a head: binary cross-entropy per pixel."""


def clamped_sigmoid(logits: Tensor) -> Tensor:
    """Scores in [1e-4, 1 - 1e-4], float32 or float64."""
    return at_least_single(logits).sigmoid().clamp(SCORE_FLOOR, 1 - SCORE_FLOOR)


def heatmap_loss(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, share: Share = alone
) -> Tensor:
    """Focal loss over a batch, divided by the number of centres in it (by 1 if there is none).

    Args:
        logits: [B, classes, h, w].
        target: [B, classes, h, w] in [0, 1]; exactly 1 marks a centre.
        weight: [B, 1, h, w] in [0, 1], factor of the negatives; 0 where objects may stand unlabelled.
        share: what the number of centres is divided over.

    Returns:
        Scalar.
    """
    score = clamped_sigmoid(logits)
    positive = target == 1
    hits = torch.where(positive, (1 - score) ** 2 * score.log(), 0)
    misses = torch.where(positive, 0, (1 - target) ** 4 * score**2 * (1 - score).log())
    if weight is not None:
        misses = misses * weight
    count = share(positive.sum().to(score.dtype))
    return -(hits.sum() + misses.sum()) / torch.where(count > 0, count, 1)


def centre_l1_loss(
    prediction: Tensor, target: Tensor, ind: Tensor, mask: Tensor, share: Share = alone
) -> Tensor:
    """L1 distance at the centres, divided by twice the number of objects.

    Args:
        prediction: [B, 2, h, w].
        target: [B, K, 2].
        ind: int64 [B, K], cell of each centre.
        mask: [B, K], 1 where there is an object.
        share: what the number of objects is divided over.

    Returns:
        Scalar.
    """
    difference = (at_least_single(gather_cells(prediction, ind)) - target).abs()
    # Both coordinates count as one object each: this is the reference's normalisation.
    return (difference * mask.unsqueeze(2)).sum() / (2 * share(mask.sum()) + 1e-4)


def segmentation_loss(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, share: Share = alone
) -> Tensor:
    """Mean binary cross-entropy over all pixels, or over the weighted ones.

    Args:
        logits: [B, 1, H, W].
        target: [B, 1, H, W] in [0, 1], soft values allowed.
        weight: [B, 1, H, W] in [0, 1]; 0 where the mask is unknown.
        share: what the number of weighted pixels is divided over.

    Returns:
        Scalar; 0 if no pixel has weight.
    """
    if weight is None:
        return functional.binary_cross_entropy_with_logits(at_least_single(logits), target)
    total = functional.binary_cross_entropy_with_logits(
        at_least_single(logits), target, weight=weight, reduction="sum"
    )
    # A batch in which nothing is known must not divide by zero; any smaller floor would do.
    return total / share(weight.sum()).clamp(min=1e-4)


def detection_loss(
    stacks: Sequence[Mapping[str, Tensor]],
    targets: Mapping[str, Tensor],
    weights: LossWeights | None = None,
    share: Share = alone,
) -> dict[str, Tensor]:
    """All terms, each averaged over the stacks.

    With a ``share`` that averages over data-parallel processes, and gradients averaged over them too, the
    result is that of one process with all their batches, however unevenly the objects are spread.

    Args:
        stacks: from :meth:`spotlabel.detector.centernet.network.CenterNet.outputs`, one dict per stack.
        targets: ``hm`` [B, classes, h, w], ``wh`` and ``reg`` [B, K, 2], ``ind`` and ``mask`` [B, K];
            ``seg`` [B, 1, H, W] if the network segments. Optional, for ``ignore_mode="mask_loss"``:
            ``hm_weight`` [B, 1, h, w] and ``seg_weight`` [B, 1, H, W].
        weights: factors of the terms; the defaults are those of the published models.
        share: averages counts over processes.

    Returns:
        Scalars ``hm``, ``wh``, ``reg``, ``seg`` (where the network segments), unweighted, and their weighted
        sum ``total``.
    """
    factors = weights or LossWeights()
    terms = [_stack_terms(outputs, targets, share) for outputs in stacks]
    losses = {name: torch.stack([t[name] for t in terms]).mean() for name in terms[0]}
    total = torch.stack([getattr(factors, name) * loss for name, loss in losses.items()]).sum()
    return {**losses, "total": total}


def _stack_terms(
    outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], share: Share
) -> dict[str, Tensor]:
    ind, mask = targets["ind"], targets["mask"]
    terms = {
        "hm": heatmap_loss(outputs["hm"], targets["hm"], targets.get("hm_weight"), share),
        "wh": centre_l1_loss(outputs["wh"], targets["wh"], ind, mask, share),
        "reg": centre_l1_loss(outputs["reg"], targets["reg"], ind, mask, share),
    }
    if "seg" in outputs:
        terms["seg"] = segmentation_loss(outputs["seg"], targets["seg"], targets.get("seg_weight"), share)
    return terms

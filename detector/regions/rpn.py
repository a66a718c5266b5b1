"""The region proposal network (Ren et al., NIPS 2015, section 3.1; Lin et al., CVPR 2017, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.contract import Share, alone
from spotlabel.detector.regions.anchors import cell_anchors, grid_anchors
from spotlabel.detector.regions.boxes import Weights, clip, decode, encode, large_enough
from spotlabel.detector.regions.layers import exact, started
from spotlabel.detector.regions.matching import UNUSED, Objects, match, unlabelled_share
from spotlabel.detector.regions.nms import keep_best
from spotlabel.detector.regions.options import RegionOptions
from spotlabel.detector.regions.sampling import balanced_sample
from spotlabel.detector.tensors import at_least_single, uncompiled

CODING: Weights = (1, 1, 1, 1)
SMALLEST = 1e-3
"""Proposals narrower than this, in pixels, are none: they lie outside the picture."""


class Level(NamedTuple):
    """What the network says of the n anchors of one feature map.

    Attributes:
        anchors: [n, 4] in canvas pixels.
        logits: float32 [B, n], of there being an object.
        deltas: float32 [B, n, 4], from anchors to proposals.
    """

    anchors: Tensor
    logits: Tensor
    deltas: Tensor


class Proposals(NamedTuple):
    """Regions where objects may be, P of each of B pictures, best first.

    Attributes:
        boxes: float32 [B, P, 4] in canvas pixels, inside the picture.
        valid: bool [B, P]; False fills up.
    """

    boxes: Tensor
    valid: Tensor


class RpnHead(nn.Module):
    """A 3x3 convolution, then a logit and four deltas of every anchor; the same for every feature map.

    Args:
        channels: of the feature maps.
        anchors: per cell.
    """

    def __init__(self, channels: int, anchors: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(channels, channels, 3, padding=1)
        self.cls_logits = nn.Conv2d(channels, anchors, 1)
        self.bbox_pred = nn.Conv2d(channels, 4 * anchors, 1)
        for layer in (self.hidden, self.cls_logits, self.bbox_pred):
            started(layer, 0.01)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, C, h, w] to logits [B, h*w*A] and deltas [B, h*w*A, 4], cell by cell."""
        hidden = functional.relu(self.hidden(feature))
        logits, deltas = exact(self.cls_logits, hidden), exact(self.bbox_pred, hidden)
        batch = len(feature)
        return logits.permute(0, 2, 3, 1).reshape(batch, -1), deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)


class Rpn(nn.Module):
    """Anchors on every feature map, and what the head says of them.

    Args:
        channels: of the feature maps.
        strides: canvas pixels per cell of each map.
        options: see :class:`RegionOptions`.

    Raises:
        ValueError: the options have anchors for another number of maps.
    """

    def __init__(self, channels: int, strides: Sequence[int], options: RegionOptions) -> None:
        super().__init__()
        sizes, ratios = options.anchor_sizes, options.anchor_ratios
        if len(sizes) != len(strides):
            raise ValueError(
                f"anchor_sizes: {len(sizes)} lists for {len(strides)} feature maps; expected one each"
            )
        if len({len(level) for level in sizes}) > 1:
            raise ValueError(
                "anchor_sizes: expected as many sizes on every feature map, which share one head"
            )
        self.strides = tuple(strides)
        self.cells = [cell_anchors(level, ratios) for level in sizes]
        self.head = RpnHead(channels, len(self.cells[0]))

    def forward(self, maps: Sequence[Tensor]) -> list[Level]:
        """What the network says of feature maps [B, C, h, w], one per stride."""
        levels = []
        for feature, cells, stride in zip(maps, self.cells, self.strides, strict=True):
            logits, deltas = self.head(feature)
            grid = cast(tuple[int, int], tuple(feature.shape[-2:]))
            anchors = grid_anchors(cells.to(logits), grid, stride)
            levels.append(Level(anchors, logits, deltas))
        return levels


@uncompiled
@torch.no_grad()
def propose(levels: Sequence[Level], extent: Tensor, before: int, after: int, overlap: float) -> Proposals:
    """The best proposals of each picture.

    Args:
        levels: of :class:`Rpn`.
        extent: [B, 2], height and width of each picture; proposals end there.
        before: best proposals of each level that are looked at.
        after: proposals to keep of each picture.
        overlap: IoU above which the lesser of two proposals of one level goes.
    """
    boxes, scores, origin = [], [], []
    for number, level in enumerate(levels):
        best, place = level.logits.topk(min(before, level.logits.shape[1]), dim=1)  # [B, k]
        deltas = level.deltas.gather(1, place.unsqueeze(2).expand(-1, -1, 4))
        boxes.append(clip(decode(deltas, level.anchors[place], CODING), extent))
        scores.append(best)
        origin.append(torch.full_like(place, number))
    found = torch.cat(boxes, dim=1)
    usable = torch.where(large_enough(found, SMALLEST), torch.cat(scores, dim=1), -torch.inf)
    kept, valid = keep_best(found, usable, overlap, after, groups=torch.cat(origin, dim=1))
    return Proposals(found.gather(1, kept.unsqueeze(2).expand(-1, -1, 4)), valid)


@uncompiled
def rpn_losses(
    levels: Sequence[Level],
    objects: Objects,
    labelled: Tensor,
    options: RegionOptions,
    *,
    generator: torch.Generator | None = None,
    share: Share = alone,
) -> dict[str, Tensor]:
    """How wrong the network is about a sample of anchors (Ren et al., NIPS 2015, equation 1).

    Args:
        levels: of :class:`Rpn`.
        objects: what there is to find.
        labelled: float32 [B, 1, H, W], 0 where objects may stand unlabelled, else 1.
        options: see :class:`RegionOptions`.
        generator: draws the sample; see :func:`balanced_sample`.
        share: what the number of sampled anchors is divided over.

    Returns:
        Scalars ``rpn_objectness``, the mean cross-entropy over the sample, and ``rpn_boxes``, smooth L1 of
        the positives divided by the size of the sample.
    """
    anchors = torch.cat([level.anchors for level in levels])
    matches = match(anchors, objects, options.rpn_positive, options.rpn_negative, keep_best=True)
    hidden = unlabelled_share(anchors, labelled) >= options.ignored
    label = matches.label.masked_fill(hidden, UNUSED)
    sample = balanced_sample(label, options.rpn_sample, options.rpn_share, generator)
    logits = torch.cat([level.logits for level in levels], dim=1).gather(1, sample.chosen)
    place = sample.chosen.unsqueeze(2).expand(-1, -1, 4)
    deltas = torch.cat([level.deltas for level in levels], dim=1).gather(1, place)
    own = matches.best.gather(1, sample.chosen).unsqueeze(2).expand(-1, -1, 4)
    # Where a slot is empty or negative any box does: its loss is multiplied by 0.
    reference = anchors[sample.chosen]
    goal = torch.where(sample.positive.unsqueeze(2), objects.boxes.gather(1, own), reference)
    entropy = functional.binary_cross_entropy_with_logits(
        at_least_single(logits),
        sample.positive.to(logits.dtype),
        sample.valid.to(logits.dtype),
        reduction="sum",
    )
    distance = functional.smooth_l1_loss(
        at_least_single(deltas), encode(goal, reference, CODING), reduction="none", beta=options.rpn_beta
    )
    count = share(sample.valid.sum().to(entropy.dtype)).clamp(min=1e-4)
    boxes = (distance.sum(2) * sample.positive).sum()
    return {"rpn_objectness": entropy / count, "rpn_boxes": boxes / count}

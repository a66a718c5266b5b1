"""Faster R-CNN (Ren et al., NIPS 2015): a network proposes regions, a head looks at each of them again.

Several pictures stand on one canvas, all numbers of anchors, proposals and regions are fixed, and masks tell
which are real.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.contract import Batch, Detector, Found
from spotlabel.detector.data.colour import IMAGENET_COLOURS
from spotlabel.detector.regions.backbones import Parts
from spotlabel.detector.regions.boxes import clip, decode, large_enough
from spotlabel.detector.regions.heads import CODING, RoiHeads, Rois, head_losses
from spotlabel.detector.regions.layers import batch_norms, freeze
from spotlabel.detector.regions.matching import UNUSED, Objects, match, unlabelled_share, visible_objects
from spotlabel.detector.regions.nms import keep_best
from spotlabel.detector.regions.options import RegionOptions, RegionWeights
from spotlabel.detector.regions.pooling import Pooling, roi_align, roi_pool
from spotlabel.detector.regions.rpn import Level, Proposals, Rpn, propose, rpn_losses
from spotlabel.detector.regions.sampling import balanced_sample
from spotlabel.detector.tensors import at_least_single, uncompiled

CANDIDATES = 4000
"""Best boxes of all classes that suppression looks at; more would not change the first ones that it keeps."""
SMALLEST = 1e-2
"""Boxes narrower than this, in pixels, are none."""


class Look(NamedTuple):
    """Pictures as the parts of the detector see them.

    Attributes:
        proposing: feature maps that regions are proposed from and located on, finest first.
        classifying: feature maps that they are classified on; the same ones in the plain detector.
        attention: logits of attentions by name, one [B, 1, h, w] per feature map.
    """

    proposing: list[Tensor]
    classifying: list[Tensor]
    attention: dict[str, list[Tensor]]


class FasterRcnn(Detector):
    """The plain detector, and the steps that attentions change.

    Args:
        parts: backbone and head.
        classes: number of object classes.
        options: see :class:`RegionOptions`.
        weights: factors of the loss terms.

    Attributes:
        generator: draws the samples that are trained on; None takes torch's default one.
        towers: names of the modules that start from the part of public weights behind the feature maps.
    """

    colours = IMAGENET_COLOURS
    static_graph = True
    towers: tuple[str, ...] = ("roi_heads.box_head",)

    def __init__(
        self,
        parts: Parts,
        classes: int,
        options: RegionOptions,
        weights: RegionWeights | None = None,
    ) -> None:
        super().__init__()
        self.options, self.weights, self.classes = options, weights or RegionWeights(), classes
        self.backbone = parts.backbone
        self.rpn = Rpn(parts.backbone.channels, parts.backbone.strides, options)
        self.roi_heads = RoiHeads(parts.head, classes + 1)
        self.multiple = parts.backbone.multiple
        self.attentions = {}
        self.generator: torch.Generator | None = None
        if options.pooling is Pooling.POOL and parts.backbone.pooled > 1:
            raise ValueError("pooling: pool reads one feature map; a pyramid needs align")
        for stage in parts.backbone.stages()[: options.frozen_stages]:
            for module in stage:
                freeze(module)
        for norm in batch_norms(self):
            freeze(norm)
        self.train()

    def train(self, mode: bool = True) -> FasterRcnn:
        """Switch to training or back; batch norms keep the statistics of their public weights."""
        super().train(mode)
        for norm in batch_norms(self):
            norm.eval()
        return self

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Terms ``rpn_objectness``, ``rpn_boxes``, ``classification``, ``boxes`` and what attentions add."""
        objects = visible_objects(batch["boxes"], batch["classes"], batch["present"], batch["extent"])
        look = self.look(batch["image"])
        levels: list[Level] = self.rpn(look.proposing)
        terms = rpn_losses(
            levels, objects, batch["labelled"], self.options, generator=self.generator, share=self.share
        )
        options = self.options
        proposals = propose(
            levels, batch["extent"], options.train_before, options.train_after, options.proposal_iou
        )
        rois = self.choose(proposals, objects, batch["labelled"])
        terms |= self.roi_losses(look, rois) | self.attention_losses(look, batch)
        weighted = [getattr(self.weights, name) * term for name, term in terms.items()]
        return {**terms, "total": torch.stack(weighted).sum()}

    def look(self, image: Tensor) -> Look:
        """Feature maps of pictures [B, 3, H, W].

        Raises:
            ValueError: H or W does not fit.
        """
        height, width = image.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"input of {height}x{width}: both sides must be multiples of {self.multiple} (pad the image)"
            )
        maps: list[Tensor] = self.backbone(image)
        return Look(maps, maps, {})

    @uncompiled
    @torch.no_grad()
    def choose(self, proposals: Proposals, objects: Objects, labelled: Tensor) -> Rois:
        """A sample of the proposals and of the objects themselves, and what each should become."""
        options = self.options
        # A network that is not finite any more shall be told by its losses, not by an index that is none.
        boxes = torch.cat([proposals.boxes, objects.boxes], dim=1).nan_to_num()
        real = torch.cat([proposals.valid, objects.present], dim=1)
        matches = match(boxes, objects, options.roi_positive, options.roi_positive)
        hidden = unlabelled_share(boxes, labelled) >= options.ignored
        label = matches.label.masked_fill(hidden | ~real, UNUSED)
        sample = balanced_sample(label, options.roi_sample, options.roi_share, self.generator)
        own = matches.best.gather(1, sample.chosen)
        chosen = boxes.gather(1, _rows(sample.chosen))
        return Rois(
            boxes=chosen,
            labels=torch.where(sample.positive, objects.classes.gather(1, own) + 1, 0),
            goals=torch.where(sample.positive.unsqueeze(2), objects.boxes.gather(1, _rows(own)), chosen),
            valid=sample.valid,
        )

    def pool(self, maps: list[Tensor], boxes: Tensor) -> Tensor:
        """Features of regions: maps [B, C, h, w] and boxes [B, R, 4] to [B * R, C, S, S]."""
        strides, size = self.backbone.strides[: self.backbone.pooled], self.options.pool_size
        if self.options.pooling is Pooling.POOL:
            return roi_pool(maps[0], strides[0], boxes, size).flatten(0, 1)
        return roi_align(maps[: len(strides)], strides, boxes, size).flatten(0, 1)

    def judge(self, look: Look, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """What regions show: boxes [B, R, 4] to class logits [B * R, C + 1] and deltas [B * R, C + 1, 4]."""
        found: tuple[Tensor, Tensor] = self.roi_heads(self.pool(look.proposing, boxes))
        return found

    def roi_losses(self, look: Look, rois: Rois) -> dict[str, Tensor]:
        """Terms of the heads; see :func:`spotlabel.detector.regions.heads.head_losses`."""
        return head_losses(*self.judge(look, rois.boxes), rois, self.options.box_beta, self.share)

    def attention_losses(self, look: Look, batch: Batch) -> dict[str, Tensor]:
        """Terms of attentions, unweighted; none in the plain detector."""
        return {}

    @uncompiled
    def attention_maps(self, look: Look, found: Found, canvas: tuple[int, int]) -> dict[str, Tensor]:
        """The maps of :attr:`attentions`, [B, H, W] on a canvas of H x W; none in the plain detector."""
        return {}

    def find(
        self,
        image: Tensor,
        count: int,
        *,
        extent: Tensor | None = None,
        flip: bool = False,
        attention: bool = False,
    ) -> Found:
        """The ``count`` best boxes of each picture; those of its mirror image join before suppression."""
        height, width = image.shape[-2:]
        if extent is None:
            extent = image.new_tensor([[height, width]], dtype=torch.int64).expand(len(image), 2)
        look = self.look(image)
        boxes, scores = self._candidates(look, extent)
        if flip:
            seen, found = self._candidates(self.look(mirrored(image, extent)), extent)
            boxes = torch.cat([boxes, mirrored_boxes(seen, extent)], dim=1)
            scores = torch.cat([scores, found], dim=1)
        best = self._best(boxes, scores, count)
        if not attention:
            return best
        return best._replace(attention=self.attention_maps(look, best, (height, width)))

    def _candidates(self, look: Look, extent: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes [B, P, C, 4] and scores [B, P, C]; -inf where there is none."""
        options = self.options
        levels: list[Level] = self.rpn(look.proposing)
        proposals = propose(levels, extent, options.test_before, options.test_after, options.proposal_iou)
        logits, deltas = self.judge(look, proposals.boxes)
        shape = proposals.valid.shape
        scores = at_least_single(logits).softmax(dim=1)[:, 1:].reshape(*shape, self.classes)
        own = at_least_single(deltas)[:, 1:].reshape(*shape, self.classes, 4)
        boxes = clip(decode(own, proposals.boxes.unsqueeze(2), CODING), extent)
        usable = proposals.valid.unsqueeze(2) & (scores > options.score_floor) & large_enough(boxes, SMALLEST)
        return boxes, torch.where(usable, scores, -torch.inf)

    @uncompiled
    def _best(self, boxes: Tensor, scores: Tensor, count: int) -> Found:
        flat, places = scores.flatten(1).topk(min(CANDIDATES, scores[0].numel()), dim=1)
        candidates = boxes.flatten(1, 2).gather(1, _rows(places))
        classes = places % self.classes
        kept, real = keep_best(candidates, flat, self.options.final_iou, count, groups=classes)
        missing = count - kept.shape[1]
        found_boxes = candidates.gather(1, _rows(kept)) * real.unsqueeze(2)
        found_scores = torch.where(real, flat.gather(1, kept), 0)
        found_classes = classes.gather(1, kept) * real
        return Found(
            functional.pad(found_boxes, (0, 0, 0, missing)),
            functional.pad(found_scores, (0, missing)),
            functional.pad(found_classes, (0, missing)),
            {},
        )


def mirrored(image: Tensor, extent: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] turned left to right, each inside its own extent [B, 2]."""
    column = torch.arange(image.shape[3], device=image.device)
    width = extent[:, 1:]
    source = torch.where(column < width, width - 1 - column, column)  # [B, W]
    return image.gather(3, source[:, None, None, :].expand_as(image))


def mirrored_boxes(boxes: Tensor, extent: Tensor) -> Tensor:
    """Boxes [B, ..., 4] of pictures turned left to right."""
    width = extent[:, 1].to(boxes.dtype).view(-1, *(1 for _ in boxes.shape[1:-1]))
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([width - x1, y0, width - x0, y1], dim=-1)


def _rows(index: Tensor) -> Tensor:
    """Index [B, N] for gathering whole boxes: [B, N, 4]."""
    return index.unsqueeze(2).expand(-1, -1, 4)

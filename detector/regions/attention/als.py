"""Faster R-CNN with a tower for boxes and one for classes, and ALS before them.

Attentive Layer Separation for object classification and object localization (Kim & Ro, ICIP 2019). Training
in two stages, as in the paper: ``als-split`` first, whose weights ``als`` starts from.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from spotlabel.detector.contract import Attention, Batch, Found
from spotlabel.detector.regions.attention.separation import LayerSeparation, attention_loss, on_canvas
from spotlabel.detector.regions.backbones import Parts
from spotlabel.detector.regions.heads import BoxHead
from spotlabel.detector.regions.network import FasterRcnn, Look
from spotlabel.detector.regions.options import RegionOptions, RegionWeights


class SplitRcnn(FasterRcnn):
    """Boxes and classes of a region by towers of their own: what ALS is without its attentions.

    The box tower keeps the plain detector's name; the class tower starts as its copy.
    """

    towers = ("roi_heads.box_head", "class_head")

    def __init__(
        self, parts: Parts, classes: int, options: RegionOptions, weights: RegionWeights | None = None
    ) -> None:
        super().__init__(parts, classes, options, weights)
        self.class_head: BoxHead = deepcopy(parts.head)

    def judge(self, look: Look, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`FasterRcnn.judge`: classes and boxes of the same regions, from maps of their own."""
        pooled = self.pool(look.proposing, boxes)
        shared = look.classifying is look.proposing
        classified = self.class_head(pooled if shared else self.pool(look.classifying, boxes))
        predictor = self.roi_heads.box_predictor
        return predictor.scores(classified), predictor.deltas(self.roi_heads.box_head(pooled))


class AlsRcnn(SplitRcnn):
    """Both towers, each behind its attention; regions are proposed from what the first one lets pass.

    On a pyramid all maps share the attention nets, as they share the RPN's head.
    """

    def __init__(
        self, parts: Parts, classes: int, options: RegionOptions, weights: RegionWeights | None = None
    ) -> None:
        super().__init__(parts, classes, options, weights)
        self.separation = LayerSeparation(parts.backbone.channels, options.als)
        self.attentions = {
            "loc": Attention("localisation attention", logits=True, foreground=True),
            "cls": Attention("classification attention", logits=True),
        }

    def look(self, image: Tensor) -> Look:
        """See :meth:`FasterRcnn.look`; ``attention`` holds the logits of every map."""
        seen = [self.separation(feature) for feature in super().look(image).proposing]
        loc, cls, loc_logits, cls_logits = (list(part) for part in zip(*seen, strict=True))
        return Look(loc, cls, {"loc": loc_logits, "cls": cls_logits})

    def attention_losses(self, look: Look, batch: Batch) -> dict[str, Tensor]:
        """Term ``attention``: the localisation attention against the masks, mean over the feature maps."""
        terms = [
            attention_loss(logits, batch["mask"], batch["known"], batch["extent"], self.share)
            for logits in look.attention["loc"]
        ]
        return {"attention": torch.stack(terms).mean()}

    def attention_maps(self, look: Look, found: Found, canvas: tuple[int, int]) -> dict[str, Tensor]:
        """Logits of both attentions on the finest feature map."""
        return {name: on_canvas(logits[0], canvas) for name, logits in look.attention.items()}

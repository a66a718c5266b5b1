"""Faster R-CNN whose regions are highlighted by Gaussians: LGA-RCNN (arXiv 2104.13763)."""

from __future__ import annotations

from torch import Tensor

from spotlabel.detector.contract import Attention, Found
from spotlabel.detector.regions.attention.gaussian import GaussianAttention, guide_loss
from spotlabel.detector.regions.attention.painting import paint_found
from spotlabel.detector.regions.backbones import Parts
from spotlabel.detector.regions.heads import Rois, head_losses
from spotlabel.detector.regions.network import FasterRcnn, Look
from spotlabel.detector.regions.options import RegionOptions, RegionWeights


class LgaRcnn(FasterRcnn):
    """The plain detector, with Gaussian attention between a region's feature and the heads.

    The Gaussians serve in detection, too; the classifier that guides them in training does not.
    """

    def __init__(
        self, parts: Parts, classes: int, options: RegionOptions, weights: RegionWeights | None = None
    ) -> None:
        super().__init__(parts, classes, options, weights)
        self.gaussian = GaussianAttention(
            parts.backbone.channels, options.pool_size, classes + 1, options.lga
        )
        self.attentions = {"gaussians": Attention("Gaussians", regions=True)}

    def judge(self, look: Look, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`FasterRcnn.judge`."""
        found: tuple[Tensor, Tensor] = self.roi_heads(self.gaussian(self.pool(look.proposing, boxes)).fused)
        return found

    def roi_losses(self, look: Look, rois: Rois) -> dict[str, Tensor]:
        """See :meth:`FasterRcnn.roi_losses`; term ``guide`` is the cross-entropy of the guide head."""
        seen = self.gaussian(self.pool(look.proposing, rois.boxes))
        logits, deltas = self.roi_heads(seen.fused)
        terms = head_losses(logits, deltas, rois, self.options.box_beta, self.share)
        labels, counted = rois.labels.flatten(), rois.valid.flatten()
        if self.options.lga.positives_only:
            counted = counted & (labels > 0)
        guiding = self.gaussian.guide(seen.highlighted)
        return {**terms, "guide": guide_loss(guiding, labels, counted, self.share)}

    def attention_maps(self, look: Look, found: Found, canvas: tuple[int, int]) -> dict[str, Tensor]:
        """The Gaussians on the boxes that were found, all of them on one map in [0, 1]."""
        maps = self.gaussian(self.pool(look.proposing, found.boxes)).map[:, 0]
        return {"gaussians": paint_found(maps, found, canvas)}

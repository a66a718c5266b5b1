"""Faster R-CNN trained with inverted attention (Huang et al., WACV 2020); detection is as without."""

from __future__ import annotations

import torch
from torch import Tensor

from spotlabel.detector.contract import Attention, Found
from spotlabel.detector.regions.attention.inverted import (
    invert,
    inverted_attention,
    scaled,
    score_gradients,
    sensitivity,
)
from spotlabel.detector.regions.attention.painting import paint_found
from spotlabel.detector.regions.backbones import Parts
from spotlabel.detector.regions.heads import Rois, head_losses
from spotlabel.detector.regions.network import FasterRcnn, Look
from spotlabel.detector.regions.options import RegionOptions, RegionWeights


class IanRcnn(FasterRcnn):
    """The plain detector, with the same weights; in training some regions lose what their class rests on.

    Classes and boxes both learn from what is left (the paper's text; it leaves the box loss open). Pictures
    show both sides of it on the boxes that were found: what their classes rest on, and what inversion would
    leave of that.
    """

    static_graph = False  # the head is asked twice where there are regions to invert

    def __init__(
        self, parts: Parts, classes: int, options: RegionOptions, weights: RegionWeights | None = None
    ) -> None:
        super().__init__(parts, classes, options, weights)
        self.attentions = {
            "sensitivity": Attention("sensitivity", regions=True),
            "inverted": Attention("after inversion", regions=True),
        }

    def roi_losses(self, look: Look, rois: Rois) -> dict[str, Tensor]:
        """See :meth:`FasterRcnn.roi_losses`; nothing is taken away in evaluation mode."""
        pooled = self.pool(look.proposing, rois.boxes)
        if self.training:
            pooled = invert(
                pooled,
                rois.labels.flatten(),
                rois.valid.flatten(),
                self.scores,
                self.roi_heads,
                options=self.options.ian,
                generator=self.generator,
            )
        logits, deltas = self.roi_heads(pooled)
        return head_losses(logits, deltas, rois, self.options.box_beta, self.share)

    def scores(self, pooled: Tensor) -> Tensor:
        """Class logits [N, C + 1] of features of regions [N, K, S, S]."""
        return self.roi_heads.box_predictor.scores(self.roi_heads.box_head(pooled))

    def attention_maps(self, look: Look, found: Found, canvas: tuple[int, int]) -> dict[str, Tensor]:
        """Sensitivity of cells, scaled to [0, 1] in each box, and times the mean factor of its channels."""
        pooled, labels = self.pool(look.proposing, found.boxes), found.classes.flatten() + 1
        with torch.inference_mode(False):
            # Clones are ordinary tensors: those of inference mode know no gradients.
            before, after = self.inversion(pooled.clone(), labels.clone())
        return {
            "sensitivity": paint_found(before, found, canvas),
            "inverted": paint_found(after, found, canvas),
        }

    def inversion(self, pooled: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What regions are recognised by, and what training would leave of it.

        Args:
            pooled: [N, K, S, S], features of regions.
            labels: int64 [N], columns of their classes among the scores.

        Returns:
            Two times [N, S, S] in [0, 1], detached.
        """
        options = self.options.ian
        gradients = score_gradients(pooled, labels, self.scores, self.roi_heads, options.score)
        cells, _ = sensitivity(pooled.detach(), gradients)
        before = scaled(cells.flatten(1)).view_as(cells)
        factor = inverted_attention(pooled.detach(), gradients, options, self.generator)
        return before, before * factor.mean(dim=1).expand_as(cells)

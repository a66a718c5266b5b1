"""Faster R-CNN trained with inverted attention (Huang et al., WACV 2020); detection is as without."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from spotlabel.detector.regions.attention.inverted import (
    invert,
    inverted_attention,
    score_gradients,
    sensitivity,
)
from spotlabel.detector.regions.heads import Rois, head_losses
from spotlabel.detector.regions.network import FasterRcnn, Look


class Inversion(NamedTuple):
    """What N regions are sensitive to, and what training would leave of it.

    Attributes:
        cells: [N, S, S], signed.
        kept: [N, S, S] in [0, 1], mean over the channels of what features are multiplied with.
    """

    cells: Tensor
    kept: Tensor


class IanRcnn(FasterRcnn):
    """The plain detector, with the same weights; in training some regions lose what their class rests on.

    Classes and boxes both learn from what is left (the paper's text; it leaves the box loss open).
    """

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

    def inversion(self, image: Tensor, boxes: Tensor, classes: Tensor) -> Inversion:
        """For pictures: what objects are recognised by, and what training would take away.

        Args:
            image: float32 [B, 3, H, W] BGR, normalised.
            boxes: float32 [B, R, 4] in canvas pixels.
            classes: int64 [B, R].

        Returns:
            Of B * R regions, detached.
        """
        options = self.options.ian
        pooled = self.pool(self.look(image).proposing, boxes).detach()
        labels = classes.flatten() + 1
        gradients = score_gradients(pooled, labels, self.scores, self.roi_heads, options.score)
        cells, _ = sensitivity(pooled, gradients)
        factor = inverted_attention(pooled, gradients, options, self.generator)
        return Inversion(cells, factor.mean(dim=1).expand_as(cells))

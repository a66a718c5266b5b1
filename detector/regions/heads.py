"""What looks at each region: features to a vector, and the vector to class scores and boxes.

VGG: Simonyan & Zisserman, ICLR 2015, as used by Ren et al., NIPS 2015. conv5: He et al., CVPR 2016, section
4.1. Two layers: Lin et al., CVPR 2017, section 4.2.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.contract import Share, alone
from spotlabel.detector.regions.boxes import Weights, encode
from spotlabel.detector.regions.layers import exact, started
from spotlabel.detector.tensors import at_least_single

CODING: Weights = (10, 10, 5, 5)


class Rois(NamedTuple):
    """Regions of B pictures that are trained on, S of each.

    Attributes:
        boxes: float32 [B, S, 4] in canvas pixels.
        labels: int64 [B, S], 0 background, else the class + 1.
        goals: float32 [B, S, 4], the objects' boxes; a region's own box where it is background.
        valid: bool [B, S]; False fills up.
    """

    boxes: Tensor
    labels: Tensor
    goals: Tensor
    valid: Tensor


class BoxHead(nn.Module):
    """Features of regions [N, C, S, S] to vectors [N, width].

    Attributes:
        width: length of the vectors.
    """

    width: int


class TwoLayers(BoxHead):
    """Two fully connected layers with ReLU.

    Args:
        channels: of the features.
        size: cells of a region along each side.
        width: of both layers.
        dropout: share of outputs dropped in training, after each layer.
    """

    def __init__(self, channels: int, size: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.fc6 = nn.Linear(channels * size**2, width)
        self.fc7 = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.fc6, self.fc7):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map [N, C, S, S] to [N, width]."""
        x = self.dropout(functional.relu(self.fc6(pooled.flatten(1))))
        found: Tensor = self.dropout(functional.relu(self.fc7(x)))
        return found


class Conv5(BoxHead):
    """The last stage of a residual network on every region, then the mean of its cells.

    Args:
        layer4: the stage, under its public name.
        width: its output channels.
    """

    def __init__(self, layer4: nn.Module, width: int) -> None:
        super().__init__()
        self.width = width
        self.layer4 = layer4

    def forward(self, pooled: Tensor) -> Tensor:
        """Map [N, C, S, S] to [N, width]."""
        found: Tensor = self.layer4(pooled).mean(dim=(2, 3))
        return found


class BoxPredictor(nn.Module):
    """Class logits and, for every class, a box.

    Args:
        width: of the vectors.
        outputs: classes, background first.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(width, outputs)
        self.bbox_pred = nn.Linear(width, 4 * outputs)
        started(self.cls_score, 0.01)
        started(self.bbox_pred, 0.001)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Map [N, width] to logits [N, outputs] and deltas [N, outputs, 4]."""
        return self.scores(vectors), self.deltas(vectors)

    def scores(self, vectors: Tensor) -> Tensor:
        """Class logits [N, outputs]."""
        return exact(self.cls_score, vectors)

    def deltas(self, vectors: Tensor) -> Tensor:
        """Deltas [N, outputs, 4] from regions to boxes, of every class."""
        return exact(self.bbox_pred, vectors).view(len(vectors), -1, 4)


class RoiHeads(nn.Module):
    """A box head and its predictor, under torchvision's names."""

    def __init__(self, box_head: BoxHead, outputs: int) -> None:
        super().__init__()
        self.box_head = box_head
        self.box_predictor = BoxPredictor(box_head.width, outputs)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Map [N, C, S, S] to logits [N, outputs] and deltas [N, outputs, 4]."""
        found: tuple[Tensor, Tensor] = self.box_predictor(self.box_head(pooled))
        return found


def head_losses(
    logits: Tensor, deltas: Tensor, rois: Rois, beta: float, share: Share = alone
) -> dict[str, Tensor]:
    """How wrong the heads are about a sample of regions (Girshick, ICCV 2015, section 2.3).

    Args:
        logits: [B * S, C + 1].
        deltas: [B * S, C + 1, 4].
        rois: the regions.
        beta: error below which smooth L1 is quadratic.
        share: what the number of regions is divided over.

    Returns:
        Scalars ``classification``, the mean cross-entropy, and ``boxes``, smooth L1 of the positives divided
        by the number of all regions.
    """
    labels, valid = rois.labels.flatten(), rois.valid.flatten()
    entropy = functional.cross_entropy(at_least_single(logits), labels, reduction="none")
    own = deltas.gather(1, labels.view(-1, 1, 1).expand(-1, 1, 4)).squeeze(1)  # [B * S, 4]
    # An empty slot may hold a box without area, of which no logarithm can be taken.
    unit = own.new_tensor([0, 0, 1, 1])
    counted = (valid & (labels > 0)).unsqueeze(1)
    goals = encode(
        torch.where(counted, rois.goals.flatten(0, 1), unit),
        torch.where(counted, rois.boxes.flatten(0, 1), unit),
        CODING,
    )
    distance = functional.smooth_l1_loss(at_least_single(own), goals, reduction="none", beta=beta)
    count = share(valid.sum().to(entropy.dtype)).clamp(min=1e-4)
    return {
        "classification": (entropy * valid).sum() / count,
        "boxes": (distance * counted).sum() / count,
    }

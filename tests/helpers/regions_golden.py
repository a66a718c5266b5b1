"""Inputs of the golden numbers of region-based detectors, by formula; torchvision is given the same."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.helpers import hash_tensors

CLASSES = 3
DETECTIONS = 30
RATIOS = (0.5, 1.0, 2.0)
CANVAS = (128, 192)
EXTENTS = [(128, 192), (112, 160)]
FPN = {
    "anchor_sizes": ((16,), (32,), (64,), (128,), (256,)),
    "train_before": 150, "train_after": 200, "test_before": 100, "test_after": 80,
}  # fmt: skip
C4 = {
    "anchor_sizes": ((16, 32, 64),),
    "train_before": 400, "train_after": 24, "test_before": 300, "test_after": 16,
}  # fmt: skip
STRIDE = 16
THRESHOLDS = (0.3, 0.5, 0.7)
QUIET = {
    "rpn.head.cls_logits": 0.5,
    "rpn.head.bbox_pred": 0.1,
    "cls_score": 0.5,
    "box_predictor.bbox_pred": 0.1,
}
"""Factors of the weights of output layers: random ones say wild things."""


def parameter(name: str, shape: tuple[int, ...]) -> Tensor:
    """float64 value of the parameter with this name in torchvision."""
    value = hash_tensors.parameter(name, shape)
    factors = [factor for part, factor in QUIET.items() if part in name]
    return value * factors[0] if factors else value


def pictures() -> Tensor:
    """float64 [2, 3, H, W] RGB; padding is 0."""
    image = hash_tensors.tensor("picture", (2, 3, *CANVAS), -2, 2)
    coarse = hash_tensors.tensor("coarse", (2, 3, CANVAS[0] // 16, CANVAS[1] // 16), -2, 2)
    image = image * 0.3 + coarse.repeat_interleave(16, 2).repeat_interleave(16, 3)
    for own, (height, width) in zip(image, EXTENTS, strict=True):
        own[:, height:] = 0
        own[:, :, width:] = 0
    return image


def objects() -> tuple[list[Tensor], list[Tensor]]:
    """Boxes float64 [n, 4] and classes int64 [n] of each picture."""
    first = torch.tensor([[8, 10, 40, 42], [50, 60, 120, 110.5], [150, 5, 190, 60]]).double()
    second = torch.tensor([[20, 30, 70, 95], [100.25, 12, 131, 40]]).double()
    return [first, second], [torch.tensor([0, 2, 1]), torch.tensor([1, 0])]


def feature() -> Tensor:
    """float64 [2, 3, 9, 13]."""
    return hash_tensors.tensor("feature", (2, 3, 9, 13), -1, 1)


def rois() -> Tensor:
    """float64 [2, 24, 4] on a canvas of 144 x 208, from a pixel to most of it."""
    size = hash_tensors.tensor("roi sizes", (2, 24, 2), 0.05, 1) ** 2 * torch.tensor([208, 144])
    place = hash_tensors.tensor("roi places", (2, 24, 2), 0, 1) * (torch.tensor([208, 144]) - size)
    return torch.cat([place, place + size], dim=2)


def deltas() -> Tensor:
    """float64 [24, 4], some of them beyond the largest that is decoded."""
    return hash_tensors.tensor("deltas", (24, 4), -1, 1) * torch.tensor([8, 8, 12, 40])


def crowd() -> tuple[Tensor, Tensor]:
    """Boxes float64 [400, 4] that crowd, and scores [400] with ties."""
    place = hash_tensors.tensor("crowd places", (400, 2), 0, 150)
    size = hash_tensors.tensor("crowd sizes", (400, 2), 10, 60)
    scores = (hash_tensors.tensor("crowd scores", (400,), 0, 1) * 100).round() / 100
    return torch.cat([place, place + size], dim=1).round(), scores

"""ALS: one feature map for where objects are, another for what they are, each through its own attention.

Attentive Layer Separation for object classification and object localization. The localisation attention is
taught by masks; the classification attention reads what it lets pass and is taught by the detector alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.contract import Share, alone
from spotlabel.detector.regions.attention.options import SeparationOptions
from spotlabel.detector.tensors import at_least_single


class Separated(NamedTuple):
    """A feature map after both attentions.

    Attributes:
        loc: [B, C, h, w], the map times the localisation attention; the RPN and the box tower read it.
        cls: [B, C, h, w], the map times the classification attention; the classification tower reads it.
        loc_logits: [B, 1, h, w], logits of the localisation attention.
        cls_logits: [B, 1, h, w], logits of the classification attention.
    """

    loc: Tensor
    cls: Tensor
    loc_logits: Tensor
    cls_logits: Tensor


def attention_net(channels: int, hidden: int, bias: float) -> nn.Sequential:
    """Three 1x1 convolutions with ReLU between: [B, channels, h, w] to logits [B, 1, h, w]."""
    last = nn.Conv2d(hidden, 1, 1)
    assert last.bias is not None
    nn.init.constant_(last.bias, bias)
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, hidden, 1), nn.ReLU(), last
    )


class LayerSeparation(nn.Module):
    """Both attentions of ALS, one after the other.

    Args:
        channels: of the feature map.
        options: see :class:`SeparationOptions`.
    """

    def __init__(self, channels: int, options: SeparationOptions | None = None) -> None:
        super().__init__()
        self.options = options or SeparationOptions()
        hidden = self.options.hidden or 2 * channels
        self.loc = attention_net(channels, hidden, self.options.bias)
        self.cls = attention_net(channels, hidden, self.options.bias)

    def forward(self, feature: Tensor) -> Separated:
        """Separate a feature map [B, C, h, w]."""
        loc_logits = self.loc(feature)
        loc = feature * loc_logits.sigmoid()
        cls_logits = self.cls(loc.detach() if self.options.detach_cascade else loc)
        # The paper multiplies with the map itself, not with what the first attention left of it.
        return Separated(loc, feature * cls_logits.sigmoid(), loc_logits, cls_logits)


def attention_loss(
    logits: Tensor, mask: Tensor, known: Tensor, extent: Tensor, share: Share = alone
) -> Tensor:
    """Cross-entropy of the localisation attention against the share of object pixels in each cell.

    A cell counts by its share of pixels that are known and inside the picture, so that the loss is the mean
    over these pixels of what their cells say.

    Args:
        logits: [B, 1, h, w].
        mask: float [B, 1, H, W] in [0, 1], objects of any class; H and W are the same multiple of h and w.
        known: float [B, 1, H, W], 0 where the mask is unknown, else 1.
        extent: int64 [B, 2], height and width of each picture on the canvas; the rest is padding.
        share: averages the number of counted pixels over the processes that train together.

    Returns:
        Scalar; 0 if nothing is known.

    Raises:
        ValueError: the sizes do not fit.
    """
    stride = _stride(mask, logits)
    inside = known * _inside(extent, mask)
    weight = functional.avg_pool2d(inside, stride)  # [B, 1, h, w]
    objects = functional.avg_pool2d(mask * inside, stride)
    entropy = functional.binary_cross_entropy_with_logits(
        at_least_single(logits), objects / torch.where(weight > 0, weight, 1), weight, reduction="sum"
    )
    count = share(weight.sum())
    return entropy / torch.where(count > 0, count, 1)


def on_canvas(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits [B, 1, h, w] as a map [B, H, W] on a canvas of ``size`` (H, W), bilinear between the cells."""
    return functional.interpolate(at_least_single(logits), size, mode="bilinear")[:, 0]


def _inside(extent: Tensor, like: Tensor) -> Tensor:
    """1 inside the pictures, 0 in their padding: [B, 1, H, W] for ``extent`` [B, 2]."""
    height, width = like.shape[-2:]
    rows = torch.arange(height, device=like.device) < extent[:, :1]  # [B, H]
    columns = torch.arange(width, device=like.device) < extent[:, 1:]  # [B, W]
    return (rows[:, None, :, None] & columns[:, None, None, :]).to(like.dtype)


def _stride(mask: Tensor, logits: Tensor) -> int:
    (height, width), (h, w) = mask.shape[-2:], logits.shape[-2:]
    stride = height // h
    if stride == 0 or (height, width) != (stride * h, stride * w):
        raise ValueError(
            f"mask of {height}x{width} over a feature map of {h}x{w}: expected one multiple of both sides"
        )
    return stride

"""Heads on a feature map: three that read points (CenterNet), and the segmentation heads of SpotNet."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor, nn

from spotlabel.detector.centernet.unet import UNetHead
from spotlabel.detector.networks.blocks import ConvBlock

SEG_STRIDE = 4
"""Every segmentation head upsamples its feature map by this factor."""

HEATMAP_BIAS = -2.19
"""Logit of a score near 0.1, which every cell starts with (RetinaNet, Lin et al., ICCV 2017, section 4.1)."""


class SegHead(StrEnum):
    """Segmentation heads, all giving one logit per input pixel."""

    NONE = "none"
    CONV2 = "conv2"
    """3x3, x2, 3x3, x2 around a 1x1: the head of the released models."""
    CONV3 = "conv3"
    """Three 3x3 with x2 between them: the head as the paper describes it."""
    UNET = "unet"
    """A U-Net on the feature map: SpotNet2."""


class ExactConv(nn.Conv2d):
    """A convolution that autocast leaves in single precision.

    bfloat16 has 8 bits: neighbouring cells of a heatmap would be equal, so that peaks become plateaus and
    objects are found several times; a box 60 cells wide would be known to a quarter of a cell.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W] to [B, out, H, W]."""
        if x.dtype == self.weight.dtype:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def point_head(channels: int, outputs: int) -> nn.Sequential:
    """3x3 convolution with ReLU and 1x1 convolution: [B, channels, h, w] to [B, outputs, h, w]."""
    return nn.Sequential(ConvBlock(channels, channels), ExactConv(channels, outputs, 1))


def heatmap_head(channels: int, classes: int) -> nn.Sequential:
    """A :func:`point_head` whose last bias is -2.19, so that training starts quietly."""
    head = point_head(channels, classes)
    last = head[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.constant_(last.bias, HEATMAP_BIAS)
    return head


def segmentation_head(kind: SegHead, channels: int) -> nn.Module:
    """Head from [B, channels, h, w] to logits [B, 1, 4h, 4w].

    Raises:
        ValueError: ``kind`` is ``none``.
    """
    if kind is SegHead.UNET:
        return UNetHead(channels)
    first = (ConvBlock(channels, channels), upsample(), ConvBlock(channels, channels))
    if kind is SegHead.CONV2:
        return nn.Sequential(*first, nn.Conv2d(channels, 1, 1), upsample())
    if kind is SegHead.CONV3:
        return nn.Sequential(*first, upsample(), nn.Conv2d(channels, 1, 3, padding=1))
    raise ValueError(f"no segmentation head of kind {kind!r}")


def upsample() -> nn.Upsample:
    """Bilinear x2 with aligned corners, as in the released models."""
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

"""The U-Net segmentation head of SpotNet2 (U-Net: Ronneberger et al., MICCAI 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def bilinear2(x: Tensor) -> Tensor:
    """Double height and width, corners aligned."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


class DoubleConv(nn.Module):
    """Twice: 3x3 convolution with bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H, W]."""
        result: Tensor = self.double_conv(x)
        return result


class Down(nn.Module):
    """2x2 max-pooling and a double convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H/2, W/2]."""
        result: Tensor = self.maxpool_conv(x)
        return result


class Up(nn.Module):
    """Bilinear x2, the skip put in front where there is one, and a double convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = DoubleConv(inputs, outputs)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Map [B, C, H, W] and a skip [B, inputs - C, 2H, 2W] to [B, outputs, 2H, 2W]."""
        x = bilinear2(x)
        result: Tensor = self.conv(x if skip is None else torch.cat([skip, x], dim=1))
        return result


class OutConv(nn.Module):
    """1x1 convolution to one logit."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, 1, H, W]."""
        result: Tensor = self.conv(x)
        return result


class UNetHead(nn.Module):
    """Four levels down, four up with skips, two more up without.

    Args:
        channels: channels of the feature map; widths are fractions of it (64 of 256 and so on).
    """

    multiple = 16
    """Height and width of the feature map must be multiples of this."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        a, b, c, d = channels // 4, channels // 2, channels, 2 * channels
        self.inc = DoubleConv(channels, a)
        self.down1 = Down(a, b)
        self.down2 = Down(b, c)
        self.down3 = Down(c, d)
        self.down4 = Down(d, d)
        self.up1 = Up(d + d, c)
        self.up2 = Up(c + c, b)
        self.up3 = Up(b + b, a)
        self.up4 = Up(a + a, a)
        self.up5 = Up(a, a)
        self.up6 = Up(a, a)
        self.outc = OutConv(a)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 1, 4h, 4w] of a feature map [B, channels, h, w]."""
        x1 = self.inc(x)  # [B, C/4, h, w]
        x2 = self.down1(x1)  # [B, C/2, h/2, w/2]
        x3 = self.down2(x2)  # [B, C, h/4, w/4]
        x4 = self.down3(x3)  # [B, 2C, h/8, w/8]
        x5 = self.down4(x4)  # [B, 2C, h/16, w/16]
        y = self.up1(x5, x4)  # [B, C, h/8, w/8]
        y = self.up2(y, x3)  # [B, C/2, h/4, w/4]
        y = self.up3(y, x2)  # [B, C/4, h/2, w/2]
        y = self.up4(y, x1)  # [B, C/4, h, w]
        y = self.up6(self.up5(y))  # [B, C/4, 4h, 4w]
        result: Tensor = self.outc(y)
        return result

"""What residual blocks have in common, and the two building blocks of the Hourglass family.

CornerNet, Law & Deng, ECCV 2018, section 5.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Module):
    """Convolution, batch norm or bias, ReLU.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: odd kernel size; padding keeps the size.
        stride: stride of the convolution.
        norm: True puts a batch norm behind the convolution, False gives the convolution a bias.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, norm: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=not norm)
        self.bn = nn.BatchNorm2d(outputs) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H/stride, W/stride]."""
        return functional.relu(self.bn(self.conv(x)))


class ResidualBlock(nn.Module):
    """A block with a shortcut, of whatever network: what activation checkpointing computes again."""


class Residual(ResidualBlock):
    """Basic residual block of two 3x3 convolutions; the shortcut is projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.skip = nn.Sequential() if same else projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H/stride, W/stride]."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.skip(x))


def projection(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """1x1 convolution without bias, then batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def residuals(count: int, inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """``count`` blocks; the first one changes stride and channels."""
    later = (Residual(outputs, outputs) for _ in range(count - 1))
    return nn.Sequential(Residual(inputs, outputs, stride), *later)


def residuals_reversed(count: int, inputs: int, outputs: int) -> nn.Sequential:
    """``count`` blocks; the last one changes the channels."""
    earlier = (Residual(inputs, inputs) for _ in range(count - 1))
    return nn.Sequential(*earlier, Residual(inputs, outputs))

"""Small residual backbones that two CPU cores can train from random weights.

Group norm (Wu & He, ECCV 2018) instead of batch norm: it needs no public weights, small batches do not hurt
it, and regions in a head do not influence one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.networks.blocks import ResidualBlock

GROUPS = 8


class GroupResidual(ResidualBlock):
    """Two 3x3 convolutions with group norm, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(GROUPS, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(GROUPS, outputs)
        same = stride == 1 and inputs == outputs
        self.downsample = None if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H/stride, W/stride]."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class SmallTrunk(nn.Module):
    """A convolution of stride 2, then one residual block per stage.

    Args:
        widths: channels of the stages.
        strides: of the stages.
    """

    def __init__(self, widths: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 2, 1, bias=False)
        self.norm1 = nn.GroupNorm(GROUPS, widths[0])
        steps = pairwise((widths[0], *widths))
        for number, ((inputs, outputs), stride) in enumerate(zip(steps, strides, strict=True), start=1):
            self.add_module(f"layer{number}", GroupResidual(inputs, outputs, stride))
        self.count = len(widths)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the stages, [B, widths[k], H/s, W/s], of an image [B, 3, H, W]."""
        x = functional.relu(self.norm1(self.conv1(image)))
        found: list[Tensor] = []
        for number in range(self.count):
            x = self.get_submodule(f"layer{number + 1}")(x)
            found.append(x)
        return found

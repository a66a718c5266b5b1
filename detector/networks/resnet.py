"""ResNet backbones (He et al., CVPR 2016) with a small feature pyramid (Lin et al., CVPR 2017) to stride 4.

The trunk's parameters carry torchvision's names, so that public ImageNet weights fit
(:mod:`spotlabel.detector.networks.imagenet`). Bottleneck blocks stride in their 3x3 convolution, as those
weights do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.networks.backbone import Backbone
from spotlabel.detector.networks.blocks import ConvBlock, ResidualBlock, projection

STAGES = (64, 128, 256, 512)


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, width, H/stride, W/stride]."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(ResidualBlock):
    """1x1, 3x3 and 1x1 convolutions, the last four times as wide, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, 4 * width, H/stride, W/stride]."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """A projection where the shape changes."""
    return projection(inputs, outputs, stride) if stride != 1 or inputs != outputs else None


@dataclass(frozen=True)
class ResNetSize:
    """What tells one ResNet from another.

    Attributes:
        block: kind of residual block.
        depths: blocks of each of the four stages.
    """

    block: type[BasicBlock | Bottleneck]
    depths: tuple[int, int, int, int]


RESNET_18 = ResNetSize(BasicBlock, (2, 2, 2, 2))
RESNET_34 = ResNetSize(BasicBlock, (3, 4, 6, 3))
RESNET_50 = ResNetSize(Bottleneck, (3, 4, 6, 3))


class Trunk(nn.Module):
    """Everything of a ResNet but its classifier.

    Attributes:
        widths: channels of the four stages' outputs.
    """

    def __init__(self, size: ResNetSize) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STAGES[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(STAGES[0])
        self.widths = tuple(width * size.block.expansion for width in STAGES)
        inputs = (STAGES[0], *self.widths)
        stages = [
            nn.Sequential(*self._blocks(size, k, inputs[k], 1 if k == 0 else 2)) for k in range(len(STAGES))
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _blocks(self, size: ResNetSize, stage: int, inputs: int, stride: int) -> list[nn.Module]:
        width, outputs = STAGES[stage], self.widths[stage]
        later = [size.block(outputs, width, 1) for _ in range(size.depths[stage] - 1)]
        return [size.block(inputs, width, stride), *later]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the four stages, [B, widths[k], H/s, W/s] for s = 4, 8, 16, 32."""
        x = functional.relu(self.bn1(self.conv1(image)))
        x = functional.max_pool2d(x, 3, 2, 1)  # [B, 64, H/4, W/4]
        found: list[Tensor] = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = cast(Tensor, stage(x))
            found.append(x)
        return found


class ResNet(Backbone):
    """A trunk, and a path back up: 1x1 laterals, each added to the coarser map brought to its size.

    Args:
        size: which ResNet.
        channels: channels of the laterals and of the feature map.
    """

    def __init__(self, size: ResNetSize, channels: int = 128) -> None:
        super().__init__(channels=channels, maps=1, stride=4, multiple=32)
        self.trunk = Trunk(size)
        self.laterals = nn.ModuleList(projection(width, channels) for width in self.trunk.widths)
        self.smooth = ConvBlock(channels, channels, norm=True)

    def forward(self, image: Tensor) -> list[Tensor]:
        """One feature map [B, channels, H/4, W/4] of an image [B, 3, H, W]."""
        maps = [lateral(x) for lateral, x in zip(self.laterals, self.trunk(image), strict=True)]
        top = maps.pop()
        while maps:
            top = maps.pop() + functional.interpolate(top, scale_factor=2, mode="nearest")
        return [self.smooth(top)]

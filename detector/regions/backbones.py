"""Backbones of region-based detectors, by the names that recipes use.

C4: one feature map, the fourth stage of a residual network, whose fifth stage becomes the head (He et al.,
CVPR 2016). FPN: Lin et al., CVPR 2017. VGG: Simonyan & Zisserman, ICLR 2015. Parameters have the names of
torchvision's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.networks.resnet import RESNET_50, Bottleneck, ResNetSize, Trunk
from spotlabel.detector.regions.heads import BoxHead, Conv5, TwoLayers
from spotlabel.detector.regions.options import C4, FPN, SMALL_C4, SMALL_FPN, VGG, RegionOptions
from spotlabel.detector.regions.small import GroupResidual, SmallTrunk

RESNET_101 = ResNetSize(Bottleneck, (3, 4, 23, 3))
VGG_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class RegionBackbone(nn.Module):
    """Image in, feature maps out, finest first.

    Attributes:
        channels: of every feature map.
        strides: canvas pixels per cell of each map.
        pooled: number of maps that regions are read from; the others serve proposals alone.
        multiple: height and width of the input must be multiples of this.
    """

    channels: int
    strides: tuple[int, ...]
    pooled: int
    multiple: int

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps [B, channels, H/s, W/s] of an image [B, 3, H, W], one per stride s."""
        raise NotImplementedError

    def stages(self) -> Sequence[Sequence[nn.Module]]:
        """Parts that can be frozen, first ones first."""
        raise NotImplementedError


class Parts(NamedTuple):
    """What a detector is put together from."""

    backbone: RegionBackbone
    head: BoxHead


class SingleMap(RegionBackbone):
    """A backbone of one feature map.

    Args:
        body: [B, 3, H, W] to maps, of which the last is used.
        channels: of the feature map.
        stride: of the feature map; a power of two.
    """

    def __init__(self, body: nn.Module, channels: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.channels, self.strides, self.pooled, self.multiple = channels, (stride,), 1, stride

    def forward(self, image: Tensor) -> list[Tensor]:
        """One feature map [B, channels, H/stride, W/stride]."""
        return [self.body(image)[-1]]

    def stages(self) -> Sequence[Sequence[nn.Module]]:
        """See :class:`RegionBackbone`."""
        return stages_of(self.body)


class Pyramid(RegionBackbone):
    """A feature pyramid on the four stages of a trunk, and a fifth map for large proposals.

    Args:
        body: [B, 3, H, W] to four maps of strides 4, 8, 16 and 32.
        widths: channels of these maps.
        channels: of the pyramid's.
    """

    def __init__(self, body: nn.Module, widths: Sequence[int], channels: int = 256) -> None:
        super().__init__()
        self.body = body
        self.fpn = FeaturePyramid(widths, channels)
        self.channels, self.strides, self.pooled, self.multiple = channels, (4, 8, 16, 32, 64), 4, 64

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five maps [B, channels, H/s, W/s] for s = 4, 8, 16, 32, 64."""
        maps: list[Tensor] = self.fpn(self.body(image))
        return [*maps, functional.max_pool2d(maps[-1], 1, 2)]

    def stages(self) -> Sequence[Sequence[nn.Module]]:
        """See :class:`RegionBackbone`."""
        return stages_of(self.body)


class FeaturePyramid(nn.Module):
    """1x1 laterals, each added to the coarser map brought to its size, then a 3x3 convolution on each."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.layer_blocks = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in widths)
        for layer in (*self.inner_blocks, *self.layer_blocks):
            nn.init.kaiming_uniform_(cast(nn.Conv2d, layer).weight, a=1)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """One map [B, channels, h, w] for each of [B, widths[k], h, w], finest first."""
        laterals = [block(x) for block, x in zip(self.inner_blocks, maps, strict=True)]
        for k in range(len(laterals) - 1, 0, -1):
            size = laterals[k - 1].shape[-2:]
            laterals[k - 1] = laterals[k - 1] + functional.interpolate(laterals[k], size, mode="nearest")
        return [block(x) for block, x in zip(self.layer_blocks, laterals, strict=True)]


class Stages4(nn.Module):
    """The first four stages of a residual network, under their public names."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.conv1, self.bn1 = trunk.conv1, trunk.bn1
        self.layer1, self.layer2, self.layer3 = trunk.layer1, trunk.layer2, trunk.layer3

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map [B, 3, H, W] to one map [B, C, H/16, W/16]."""
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(image))), 3, 2, 1)
        return [self.layer3(self.layer2(self.layer1(x)))]


class Vgg16(nn.Module):
    """The 13 convolutions of VGG16 with the pooling between their five stages, under torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for number, widths in enumerate(VGG_WIDTHS):
            layers += [nn.MaxPool2d(2)] if number else []
            for width in widths:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = width
        self.features = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map [B, 3, H, W] to one map [B, 512, H/16, W/16]."""
        return [self.features(image)]


def stages_of(body: nn.Module) -> list[list[nn.Module]]:
    """The stages of a body, first ones first."""
    if isinstance(body, Vgg16):
        stages: list[list[nn.Module]] = [[]]
        for layer in body.features:
            if isinstance(layer, nn.MaxPool2d):
                stages.append([])
            stages[-1].append(layer)
        return stages
    first = [module for name, module in body.named_children() if not name.startswith("layer")]
    return [first, *([module] for name, module in body.named_children() if name.startswith("layer"))]


def resnet_c4(size: ResNetSize) -> Parts:
    """Four stages of a ResNet, and its fifth as the head."""
    trunk = Trunk(size)
    backbone = SingleMap(Stages4(trunk), trunk.widths[2], stride=16)
    return Parts(backbone, Conv5(trunk.layer4, trunk.widths[3]))


def resnet_fpn(size: ResNetSize, options: RegionOptions) -> Parts:
    """A pyramid on a ResNet, and two layers of 1024 as the head."""
    trunk = Trunk(size)
    return Parts(Pyramid(trunk, trunk.widths), TwoLayers(256, options.pool_size, 1024))


def vgg16(options: RegionOptions) -> Parts:
    """VGG16's convolutions, and its two layers of 4096 as the head."""
    return Parts(SingleMap(Vgg16(), 512, stride=16), TwoLayers(512, options.pool_size, 4096, dropout=0.5))


def small_c4() -> Parts:
    """Three small stages to stride 8, and a fourth as the head."""
    trunk = SmallTrunk((32, 64, 96), (2, 2, 1))
    return Parts(SingleMap(trunk, 96, stride=8), Conv5(GroupResidual(96, 160, 2), 160))


def small_fpn(options: RegionOptions) -> Parts:
    """A narrow pyramid on four small stages, and two narrow layers as the head."""
    widths = (32, 48, 64, 96)
    return Parts(Pyramid(SmallTrunk(widths, (2, 2, 2, 2)), widths, 64), TwoLayers(64, options.pool_size, 192))


class Known(NamedTuple):
    """A backbone's usual options, and how its parts are made with any."""

    options: RegionOptions
    build: Callable[[RegionOptions], Parts]


REGION_BACKBONES: dict[str, Known] = {
    "resnet-50-c4": Known(C4, lambda _: resnet_c4(RESNET_50)),
    "resnet-101-c4": Known(C4, lambda _: resnet_c4(RESNET_101)),
    "resnet-50-fpn": Known(FPN, lambda options: resnet_fpn(RESNET_50, options)),
    "resnet-101-fpn": Known(FPN, lambda options: resnet_fpn(RESNET_101, options)),
    "vgg-16": Known(VGG, vgg16),
    "small-c4": Known(SMALL_C4, lambda _: small_c4()),
    "small-fpn": Known(SMALL_FPN, small_fpn),
}

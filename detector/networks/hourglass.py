"""Stacked hourglass backbones (Newell et al., ECCV 2016, in the form of CornerNet, ECCV 2018, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.networks.backbone import Backbone
from spotlabel.detector.networks.blocks import ConvBlock, Residual, projection, residuals, residuals_reversed


@dataclass(frozen=True)
class HourglassSize:
    """What tells one hourglass backbone from another.

    Attributes:
        stem: channels of the 7x7 stem convolution.
        dims: channels of the feature map (first) and of every level below it.
        modules: residual blocks per branch of each level, as many as ``dims``; last the innermost chain.
        stacks: hourglasses in a row, each with its own supervised feature map.
    """

    stem: int
    dims: tuple[int, ...]
    modules: tuple[int, ...]
    stacks: int

    def __post_init__(self) -> None:
        if len(self.dims) != len(self.modules) or len(self.dims) < 2 or self.stacks < 1:
            raise ValueError(
                f"an hourglass needs one module count per level, two levels or more, a stack: {self}"
            )


HOURGLASS_104 = HourglassSize(128, (256, 256, 384, 384, 384, 512), (2, 2, 2, 2, 2, 4), stacks=2)
HOURGLASS_52 = HourglassSize(128, (256, 256, 384, 384, 384, 512), (2, 2, 2, 2, 2, 4), stacks=1)
HOURGLASS_SMALL = HourglassSize(32, (64, 64, 96, 96, 128), (1, 1, 1, 1, 2), stacks=1)
HOURGLASS_TINY = HourglassSize(16, (32, 32, 48, 48), (1, 1, 1, 1), stacks=1)


class Level(nn.Module):
    """One level: a branch at its own size, and one that goes to half the size and back."""

    def __init__(self, dims: tuple[int, ...], modules: tuple[int, ...]) -> None:
        super().__init__()
        here, below = dims[:2]
        count = modules[0]
        self.up1 = residuals(count, here, here)
        self.low1 = residuals(count, here, below, stride=2)
        innermost = len(dims) == 2
        self.low2 = residuals(modules[1], below, below) if innermost else Level(dims[1:], modules[1:])
        self.low3 = residuals_reversed(count, below, here)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, dims[0], S, S'] to the same shape; S and S' must be even at every level."""
        low = self.low3(self.low2(self.low1(x)))  # [B, dims[0], S/2, S'/2]
        skip: Tensor = self.up1(x)
        return skip + functional.interpolate(low, scale_factor=2, mode="nearest")


class Hourglass(Backbone):
    """Stem to stride 4, then ``size.stacks`` hourglasses with a feature map behind each.

    Parameter names are those of the public CenterNet checkpoints, which explains ``kps`` (hourglasses),
    ``cnvs`` (feature maps) and ``inters``, ``inters_``, ``cnvs_`` (the merge between two stacks).
    """

    def __init__(self, size: HourglassSize) -> None:
        # Stride 4 from the stem, then one halving per level below the feature map.
        super().__init__(
            channels=size.dims[0], maps=size.stacks, stride=4, multiple=4 << (len(size.dims) - 1)
        )
        width = size.dims[0]
        between = size.stacks - 1
        self.pre = nn.Sequential(
            ConvBlock(3, size.stem, kernel=7, stride=2, norm=True), Residual(size.stem, width, stride=2)
        )
        self.kps = nn.ModuleList(Level(size.dims, size.modules) for _ in range(size.stacks))
        self.cnvs = nn.ModuleList(ConvBlock(width, width, norm=True) for _ in range(size.stacks))
        self.inters = nn.ModuleList(Residual(width, width) for _ in range(between))
        self.inters_ = nn.ModuleList(projection(width, width) for _ in range(between))
        self.cnvs_ = nn.ModuleList(projection(width, width) for _ in range(between))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps [B, channels, H/4, W/4], one per stack, of an image [B, 3, H, W]."""
        x: Tensor = self.pre(image)  # [B, channels, H/4, W/4]
        features: list[Tensor] = []
        for k, (hourglass, conv) in enumerate(zip(self.kps, self.cnvs, strict=True)):
            features.append(conv(hourglass(x)))
            if k < len(self.inters):
                merged = functional.relu(self.inters_[k](x) + self.cnvs_[k](features[-1]))
                x = self.inters[k](merged)
        return features

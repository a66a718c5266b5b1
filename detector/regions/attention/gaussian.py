"""LGA-RCNN: Gaussians on each RoI highlight the parts that tell its class; an extra loss guides them.

LGA-RCNN: Loss-Guided Attention for Object Detection (arXiv 2104.13763, section 3).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector.contract import Share, alone
from spotlabel.detector.regions.attention.options import Centres, Fusion, GaussianOptions, GuideHead, Joined
from spotlabel.detector.tensors import at_least_single

GUIDE_CELLS = 7
"""Largest side of what the two-layer guide head sees: RoIs of 14x14 would give it 200 million weights."""


class Gaussians(NamedTuple):
    """G Gaussians on each of N RoIs of S x S cells; the centre of the first cell is 0.

    Attributes:
        centres: [N, G, 2], x and y in cells.
        sigmas: [N, G, 2], along x and y, in cells, from 1 to S.
    """

    centres: Tensor
    sigmas: Tensor


class Highlighted(NamedTuple):
    """Features of N RoIs, and what their Gaussians make of them.

    Attributes:
        fused: [N, C, S, S], what the heads read.
        highlighted: [N, C, S, S], the feature times its map.
        map: [N, 1, S, S], all Gaussians of a RoI in one, in (0, 1].
    """

    fused: Tensor
    highlighted: Tensor
    map: Tensor


class GaussianAttention(nn.Module):
    """Reads Gaussians off each RoI's feature and highlights it with them.

    Args:
        channels: C, of a RoI's feature.
        size: S, cells of a RoI along a side.
        outputs: classes of the guide head, background included.
        options: see :class:`GaussianOptions`.
    """

    def __init__(
        self, channels: int, size: int, outputs: int, options: GaussianOptions | None = None
    ) -> None:
        super().__init__()
        self.size = size
        self.options = options or GaussianOptions()
        self.reduce = nn.Conv2d(channels, self.options.hidden, 1)
        each = 3 if self.options.isotropic else 4
        self.locate = nn.Linear(self.options.hidden * size * size, each * self.options.gaussians)
        self._start()
        self.guide = guide_head(self.options, channels, size, outputs)
        concat = self.options.fusion is Fusion.CONCAT
        self.fuse = nn.Conv2d(2 * channels, channels, 1) if concat else None

    def forward(self, feature: Tensor) -> Highlighted:
        """Highlight features [N, C, S, S].

        Raises:
            ValueError: the RoIs have another size.
        """
        if feature.shape[-2:] != (self.size, self.size):
            height, width = feature.shape[-2:]
            raise ValueError(f"RoIs of {height}x{width} cells: expected {self.size}x{self.size}")
        drawn = joined(gaussian_maps(self.gaussians(feature), self.size), self.options.joined)
        shares = drawn.unsqueeze(1).to(feature.dtype)  # [N, 1, S, S]
        highlighted = feature * shares
        return Highlighted(self._fused(feature, highlighted), highlighted, shares)

    def gaussians(self, feature: Tensor) -> Gaussians:
        """The Gaussians of features [N, C, S, S]."""
        reduced = functional.relu(self.reduce(feature)).flatten(1)
        raw = at_least_single(self.locate(reduced)).view(len(feature), self.options.gaussians, -1)
        return as_gaussians(raw, self.size, self.options.centres)

    def _fused(self, feature: Tensor, highlighted: Tensor) -> Tensor:
        if self.options.fusion is Fusion.NONE:
            return feature
        if self.fuse is None:
            return feature + highlighted
        fused: Tensor = self.fuse(torch.cat([feature, highlighted], dim=1))
        return fused

    def _start(self) -> None:
        """Every RoI starts with nearly the same Gaussians, on a grid: equal ones would stay equal."""
        # Weights of exactly 0 would keep the first gradient from the layer before.
        nn.init.normal_(self.locate.weight, std=1e-4)
        bias = self.locate.bias.detach().view(self.options.gaussians, -1)
        bias[:, :2] = raw_centres(self.options.gaussians, self.size, self.options.centres)
        bias[:, 2:] = self.options.width_bias


def guide_head(options: GaussianOptions, channels: int, size: int, outputs: int) -> nn.Sequential:
    """The extra classifier of training: highlighted features [N, C, S, S] to class logits [N, outputs]."""
    if options.guide is GuideHead.POOLED:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))
    seen, width = min(size, GUIDE_CELLS), options.guide_width
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(seen),
        nn.Flatten(),
        nn.Linear(channels * seen**2, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )


def as_gaussians(raw: Tensor, size: int, centres: Centres) -> Gaussians:
    """What a linear layer says, as Gaussians.

    Args:
        raw: [N, G, 3 or 4]: x and y of the centre, then one width or two.
        size: S, cells of a RoI along a side.
        centres: where they may stand.
    """
    reach = raw[..., :2].tanh()
    place = (size - 1) / 2 * (1 + reach) if centres is Centres.INSIDE else size * reach
    # Without an upper bound a wide Gaussian is 1 everywhere, and nothing brings it back.
    sigmas = (raw[..., 2:].relu() + 1).clamp(max=size)
    return Gaussians(place, sigmas.expand(-1, -1, 2))


def gaussian_maps(gaussians: Gaussians, size: int) -> Tensor:
    """Each Gaussian on its RoI, not normalised: [N, G, S, S] in [0, 1], 1 at a centre on a cell."""
    cells = torch.arange(size, device=gaussians.centres.device, dtype=gaussians.centres.dtype)
    distance = (cells - gaussians.centres.unsqueeze(-1)) / gaussians.sigmas.unsqueeze(-1)  # [N, G, 2, S]
    x, y = (distance.square() / 2).unbind(2)
    return (-(y.unsqueeze(-1) + x.unsqueeze(-2))).exp()


def joined(maps: Tensor, how: Joined) -> Tensor:
    """All Gaussians of a RoI in one map: [N, G, S, S] to [N, S, S]."""
    if how is Joined.MAX:
        return maps.amax(dim=1)
    return maps.mean(dim=1) if how is Joined.MEAN else maps.sum(dim=1).clamp(max=1)


def raw_centres(count: int, size: int, centres: Centres) -> Tensor:
    """Centres of ``count`` cells of a grid over the RoI, as :func:`as_gaussians` takes them: [count, 2]."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    index = torch.arange(count)
    x, y = (index % columns + 0.5) / columns, (index // columns + 0.5) / rows
    share = torch.stack([x, y], dim=1)  # of the way from the first cell to the last
    reach = 2 * share - 1 if centres is Centres.INSIDE else share * (size - 1) / size
    return reach.atanh()


def guide_loss(logits: Tensor, labels: Tensor, counted: Tensor, share: Share = alone) -> Tensor:
    """Mean cross-entropy of the guide head over RoIs.

    Args:
        logits: [N, outputs].
        labels: int64 [N], 0 is background.
        counted: bool [N], RoIs that are trained on.
        share: averages their number over the processes that train together.

    Returns:
        Scalar; 0 if no RoI counts.
    """
    entropy = functional.cross_entropy(at_least_single(logits), labels, reduction="none")
    count = share(counted.sum().to(entropy.dtype))
    return torch.where(counted, entropy, 0).sum() / torch.where(count > 0, count, 1)

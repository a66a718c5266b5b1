"""The student: a small U-Net (Ronneberger et al., MICCAI 2015) that says which pixels are the object's.

Most of its work is done at half the crop's resolution and below, reached by taking 2 x 2 px as channels
(Shi et al., "Real-time single image and video super-resolution", CVPR 2016, the other way round); a last
layer at full resolution keeps outlines sharp. What comes up is added to what goes across, not put beside it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

PLANES = 5
"""Of the input: three colours, the box, the other labeler's evidence."""
WIDTHS = (24, 48, 64, 64)
"""Channels at a half, a quarter, an eighth and a sixteenth of the resolution."""
FINE = 8
"""Channels at full resolution."""
MULTIPLE = 2 ** len(WIDTHS)
"""Sides of the input are multiples of this."""


class Layer(nn.Module):
    """A convolution of 3 x 3, normalised, with its negative values cut off."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.normalised = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, before, H, W] to [B, after, H, W]."""
        return torch.relu(self.normalised(self.convolution(x)))


class Student(nn.Module):
    """Crops in, logits out."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (4 * PLANES, *WIDTHS[:-1])
        self.fine = Layer(PLANES, FINE)
        self.down = nn.ModuleList(
            nn.ModuleList([Layer(before, after), Layer(after, after)])
            for before, after in zip(inputs, WIDTHS, strict=True)
        )
        self.across = nn.ModuleList(nn.Conv2d(below, here, 1) for here, below in pairwise(WIDTHS))
        self.up = nn.ModuleList(Layer(here, here) for here in WIDTHS[:-1])
        self.spread = nn.Conv2d(WIDTHS[0], 4 * FINE, 1)
        self.last = Layer(2 * FINE, FINE)
        self.logit = nn.Conv2d(FINE, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, 5, S, S] to logits [B, S, S]; S is a multiple of :data:`MULTIPLE`."""
        fine = self.fine(x)
        x, kept = nn.functional.pixel_unshuffle(x, 2), []
        for depth, layers in enumerate(self.down):
            x = nn.functional.max_pool2d(x, 2) if depth else x
            for layer in layers.children():
                x = layer(x)
            kept.append(x)
        for depth in reversed(range(len(self.up))):
            raised = nn.functional.interpolate(self.across[depth](x), scale_factor=2.0, mode="nearest")
            x = self.up[depth](kept[depth] + raised)
        x = torch.cat([fine, nn.functional.pixel_shuffle(self.spread(x), 2)], dim=1)
        return self.logit(self.last(x))[:, 0]  # type: ignore[no-any-return]

"""What the parts of a region-based detector share."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


def exact(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer's output in the precision of its weights, whatever autocast says.

    bfloat16 has 8 bits: thousands of anchors would share a score, and a box would be known to a quarter
    of a percent of its size.
    """
    weight = next(layer.parameters())
    with torch.autocast(x.device.type, enabled=False):
        return cast(Tensor, layer(x.to(weight.dtype)))


def started(layer: nn.Conv2d | nn.Linear, deviation: float) -> None:
    """Draw a layer's weights from N(0, deviation); biases are 0."""
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def freeze(module: nn.Module) -> None:
    """Keep the parameters of a module as they are."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)


def batch_norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    """Every batch norm in a module."""
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]

"""Small operations on tensors that losses and decoder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

_Function = TypeVar("_Function", bound=Callable[..., Any])

Outputs = dict[str, Tensor]
"""What the heads say of one feature map, by the name of the head."""


def at_least_single(x: Tensor) -> Tensor:
    """Float64 stays; everything narrower becomes float32."""
    return x if x.dtype == torch.float64 else x.float()


def gather_cells(maps: Tensor, ind: Tensor) -> Tensor:
    """Values at cells: maps [B, C, h, w], ind [B, K] (y * w + x) to [B, K, C]."""
    flat = maps.flatten(2).transpose(1, 2)  # [B, h*w, C]
    return flat.gather(1, ind.unsqueeze(2).expand(-1, -1, maps.shape[1]))


def uncompiled(function: _Function) -> _Function:
    """Leave a function out of compiled networks: it costs little, and its numbers must not depend on that."""
    return cast(_Function, torch.compiler.disable(function))  # type: ignore[no-untyped-call]

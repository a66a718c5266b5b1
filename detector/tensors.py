"""Small operations on tensors that all families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

_Function = TypeVar("_Function", bound=Callable[..., Any])


def at_least_single(x: Tensor) -> Tensor:
    """Float64 stays; everything narrower becomes float32."""
    return x if x.dtype == torch.float64 else x.float()


def uncompiled(function: _Function) -> _Function:
    """Leave a function out of compiled networks: it costs little, and its numbers must not depend on that."""
    return cast(_Function, torch.compiler.disable(function))  # type: ignore[no-untyped-call]

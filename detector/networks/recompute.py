"""Activation checkpointing: forget activations in the forward pass, compute them again in the backward one.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from spotlabel.detector.networks.blocks import ResidualBlock


def recompute_blocks(network: nn.Module) -> int:
    """Make every residual block of a network keep its input alone in training; results stay the same.

    Returns:
        Number of blocks; 0 if there are none, so that nothing was changed.
    """
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    for block in blocks:
        _recompute(block)
    return len(blocks)


def _recompute(block: nn.Module) -> None:
    run = block.forward
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _statistics_held(norms)

    def forward(x: Any) -> Any:
        if not block.training:
            return run(x)
        return checkpoint(run, x, use_reentrant=False, context_fn=contexts)

    block.forward = forward


@contextmanager
def _statistics_held(norms: list[_BatchNorm]) -> Iterator[None]:
    """The second pass over a batch must not count as a second batch; it may end before the last norm."""
    before = [(n.momentum, n.num_batches_tracked) for n in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = _copy(norm.num_batches_tracked)
    try:
        yield
    finally:
        for norm, (momentum, counter) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counter


def _copy(counter: Tensor | None) -> Tensor | None:
    return None if counter is None else counter.clone()

"""One step: a batch forward, backward, and into the weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spotlabel.detector.contract import Batch


@dataclass(frozen=True)
class StepOptions:
    """How a step is worked out.

    Attributes:
        clip: largest L2 norm of the gradient; 0 does not clip.
        bf16: run the network in bfloat16.
        channels_last: keep the channels of a pixel together in memory.
    """

    clip: float = 0.0
    bf16: bool = False
    channels_last: bool = False


def train_step(
    network: nn.Module, optimiser: Optimizer, batch: Batch, options: StepOptions
) -> dict[str, Tensor]:
    """Improve the network by one batch.

    Args:
        network: a detector in training mode, perhaps wrapped or compiled.
        optimiser: of its parameters.
        batch: what to learn from.
        options: see :class:`StepOptions`.

    Returns:
        Scalars without gradient: the loss terms, ``total``, and ``gradient`` (its norm before clipping).
    """
    losses = _losses(network, batch, options)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(losses["total"])
    norm = nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
    if options.clip > 0:
        nn.utils.clip_grads_with_norm_(network.parameters(), options.clip, norm)
    optimiser.step()
    return {**{name: loss.detach() for name, loss in losses.items()}, "gradient": norm.detach()}


def _losses(network: nn.Module, batch: Batch, options: StepOptions) -> dict[str, Tensor]:
    image = batch["image"]
    if options.channels_last:
        image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=options.bf16):
        losses: dict[str, Tensor] = network({**batch, "image": image})
    return losses

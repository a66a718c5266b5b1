"""Optimiser, learning rate and averaged weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from spotlabel.detector.training.settings import TrainingSettings

MOMENTUM = 0.9
"""Of SGD."""


def build_optimiser(network: nn.Module, settings: TrainingSettings) -> Optimizer:
    """Adam; or AdamW or SGD, whose decay spares biases and normalisation.

    On a GPU one kernel does all of a step's arithmetic.
    """
    fused = True if all(p.is_cuda for p in network.parameters()) else None
    if settings.optimiser == "adam":
        return Adam(network.parameters(), lr=settings.lr, fused=fused)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if settings.optimiser == "sgd":
        return SGD(groups, lr=settings.lr, momentum=MOMENTUM, fused=fused)
    return AdamW(groups, lr=settings.lr, fused=fused)


def learning_rate(step: int, steps: int, settings: TrainingSettings, world: int = 1) -> float:
    """Learning rate of a step: linear warm-up, then cosine to a hundredth or drops at milestones.

    Args:
        step: number of the step, from 0.
        steps: steps of the whole run.
        settings: the run's settings.
        world: processes that train together.
    """
    warm_up = min(settings.warm_up, steps // 10)
    peak = settings.lr
    if settings.lr_batch:  # linear scaling (Goyal et al., 2017, section 2.1)
        peak *= settings.batch * world / settings.lr_batch
    if step < warm_up:
        return peak * (step + 1) / warm_up
    if settings.schedule == "step":
        return peak * settings.drop ** sum(step >= share * steps for share in settings.milestones)
    progress = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


class AveragedWeights:
    """Exponential moving average of a network's state; early on, the mean of what there was.

    Args:
        network: whose state is followed.
        decay: weight of the past, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's present state; counters are copied."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        means, present = [], []
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                means.append(self.values[name])
                present.append(value)
            else:
                self.values[name].copy_(value)
        torch._foreach_lerp_(means, present, 1 - decay)  # a few kernels in place of one a tensor

    def load(self, values: dict[str, Tensor], updates: int) -> None:
        """Go on from saved values."""
        self.updates = updates
        for name, value in values.items():
            self.values[name].copy_(value)

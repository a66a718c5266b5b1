"""One of two processes that share a batch; writes the gradients it ends up with. Started by torchrun."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from spotlabel.detector.model import ModelSpec
from spotlabel.detector.networks.recompute import recompute_blocks
from spotlabel.detector.training.distributed import Group, joined
from spotlabel.detector.training.step import StepOptions, train_step
from tests.detector.training.test_training_step import fixed_batch, fixed_network

DETECTORS = (("spotnet-paper", "hourglass-tiny", True), ("lga", "small-c4", False))
"""Whose graph is said to be static: preset, backbone, and whether activations are computed again."""


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as group:
        write_gradients(group, out)
        for detector in DETECTORS:
            plain, static = (trained(group, *detector, static=way) for way in (False, True))
            assert torch.equal(plain, static), detector
            assert len({float(total) for total in group.gather(static.double().sum())}) == 1, detector


def write_gradients(group: Group, out: Path) -> None:
    # The first process gets the image with most objects: shares of unequal weight.
    batch = {name: value[group.rank :: group.world] for name, value in fixed_batch(4).items()}
    network = fixed_network()
    network.share = group.share
    wrapped = group.wrapped(network)  # held: gradients are averaged as long as it lives
    wrapped(batch)["total"].backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    save_file(gradients, str(out / f"{os.environ['RANK']}.safetensors"))


def trained(group: Group, preset: str, backbone: str, recompute: bool, *, static: bool) -> torch.Tensor:
    """The weights after three steps; in the second, one process has no object."""
    torch.manual_seed(1)
    network = ModelSpec(preset=preset, backbone=backbone).build().train()
    assert network.static_graph
    if recompute:
        recompute_blocks(network)
    network.share = group.share
    wrapped = group.wrapped(network, static)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    for step in range(3):
        batch = {name: value[group.rank :: 2] for name, value in fixed_batch(4, torch.float32).items()}
        if step == 1 and group.rank == 1:
            batch["present"] = torch.zeros_like(batch["present"])
        torch.manual_seed(step)
        train_step(wrapped, optimiser, batch, StepOptions(clip=10.0))  # type: ignore[arg-type]
    return torch.cat([p.detach().flatten() for p in network.parameters()])


if __name__ == "__main__":
    main(Path(sys.argv[1]))

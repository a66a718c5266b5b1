"""One of two processes that share a batch; writes the gradients it ends up with. Started by torchrun."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from spotlabel.detector.training.distributed import joined
from tests.detector.training.test_training_step import fixed_batch, fixed_network


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as group:
        # The first process gets the image with most objects: shares of unequal weight.
        batch = {name: value[group.rank :: group.world] for name, value in fixed_batch(4).items()}
        network = fixed_network()
        network.share = group.share
        wrapped = group.wrapped(network)  # held: gradients are averaged as long as it lives
        wrapped(batch)["total"].backward()
        gradients = {name: p.grad for name, p in network.named_parameters()}
        save_file(gradients, str(out / f"{os.environ['RANK']}.safetensors"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

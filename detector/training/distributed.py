"""Several processes that train together, as torchrun starts them; one process alone needs none of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from spotlabel.detector.prediction.engine import choose_device


@dataclass(frozen=True)
class Group:
    """One process among those that train together.

    Attributes:
        rank: its number, from 0; 0 writes files and speaks.
        world: how many there are.
        device: where its network lives.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """True for the process that writes and speaks."""
        return self.rank == 0

    def share(self, count: Tensor) -> Tensor:
        """Mean of a count over the processes; see :data:`spotlabel.detector.contract.Share`."""
        if self.world == 1:
            return count
        total = count.detach().clone()
        dist.all_reduce(total)
        return total / self.world

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def same(self, values: Mapping[str, Tensor]) -> None:
        """Give every process the values of the first, in place."""
        if self.world > 1:
            for value in values.values():
                dist.broadcast(value, src=0)

    def any(self, flag: bool) -> bool:
        """True if the flag is set in any process."""
        return any(self.gather(flag)) if self.world > 1 else flag

    def wrapped(self, network: nn.Module, static_graph: bool = False) -> nn.Module:
        """The network with gradients averaged over the processes, in the memory that they are sent from.

        Args:
            network: on its device.
            static_graph: every step uses the same parameters in the same way.
        """
        if self.world == 1:
            return network
        devices = [self.device.index or 0] if self.device.type == "cuda" else None
        return DistributedDataParallel(
            network, device_ids=devices, gradient_as_bucket_view=True, static_graph=static_graph
        )


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """Join the group that the environment describes (``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``).

    Args:
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda`` (alone also ``cuda:1``...).

    Raises:
        PredictionError: no such device here.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    chosen = choose_device(device)
    cuda = chosen.type == "cuda"
    if cuda and world > 1:
        chosen = choose_device(f"cuda:{local}")
    if world == 1:
        yield Group(0, 1, chosen)
        return
    if cuda:
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Group(rank, world, chosen)
        if not cuda:
            # Gloo's threads let go of what was exchanged last, and need the interpreter for it: whoever
            # ended the group just then would hold the interpreter and wait for them, for ever. A barrier
            # waits without it.
            dist.barrier()
    finally:
        dist.destroy_process_group()

"""Batches of still pictures: which pictures go together, and the processes that read them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from spotlabel.detector.contract import Batch
from spotlabel.detector.data.frames import Key
from spotlabel.detector.data.labelled import Held
from spotlabel.detector.data.loader import Feed, LoaderOptions
from spotlabel.detector.data.stills.picture import Int64, Stills
from spotlabel.detector.data.stills.sample import StillRules, StillSample, make_still_sample, stack_stills
from spotlabel.detector.data.views import rng_of
from spotlabel.detector.errors import TrainingError
from spotlabel.pipeline.errors import SpotlabelError

POOL = 64
"""Batches (of all processes) whose pictures are sorted by aspect together: enough for little padding, and few
enough that pictures meet others in every epoch."""


class AspectBatches(Sampler[list[Key]]):
    """Batches of one epoch, of pictures with alike aspects; the same for any number of loader processes.

    Args:
        sizes: int64 (N, 2), height and width of every picture.
        batch: pictures per batch and process; those left over at the end of an epoch are left out of it.
        seed: of the order.
        rank: this process among ``world``. Their batches of a step come from the same run of aspects.
        world: number of processes that train together.

    Raises:
        TrainingError: there are fewer pictures than one batch takes.
    """

    def __init__(self, sizes: Int64, batch: int, seed: int, *, rank: int = 0, world: int = 1) -> None:
        self.aspects = sizes[:, 1] / sizes[:, 0]
        self.batch, self.seed, self.rank, self.world = batch, seed, rank, world
        self.epoch = 0
        self.first = 0
        if not len(self):
            together = f"{batch} a batch" + (f" on {world} processes" if world > 1 else "")
            raise TrainingError(f"{len(sizes)} pictures are too few for {together}; lower the batch")

    def start(self, epoch: int, first: int = 0) -> None:
        """Choose the epoch, and the batch to begin with (what came before it was trained on already)."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self.aspects) // (self.batch * self.world)

    def __iter__(self) -> Iterator[list[Key]]:
        for together in self._steps()[self.first :].tolist():
            yield [Key(self.epoch, index) for index in together[self.rank :: self.world]]

    def _steps(self) -> Int64:
        """Pictures of every step, of all processes together: int64 (steps, batch * world)."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, self.epoch))))
        whole = self.batch * self.world
        order = rng.permutation(len(self.aspects))[: len(self) * whole]
        pools = (order[start : start + POOL * whole] for start in range(0, len(order), POOL * whole))
        # Stable, so that pictures of one aspect stay in random order.
        alike = [pool[np.argsort(self.aspects[pool], kind="stable")] for pool in pools]
        return rng.permutation(np.concatenate(alike).reshape(-1, whole))


class StillSamples(Dataset[StillSample | SpotlabelError]):
    """Samples; a picture that cannot be read comes as the error that says why."""

    def __init__(self, stills: Stills, rules: StillRules) -> None:
        self.stills, self.rules = stills, rules

    def __getitem__(self, key: Key) -> StillSample | SpotlabelError:
        try:
            still = self.stills.read(key.frame)
        except SpotlabelError as error:
            return error
        return make_still_sample(still, self.rules, rng_of(self.rules.seed, *key))


class StillBatches(Feed):
    """Batches of an epoch on a device.

    Args:
        stills: pictures to draw from.
        order: which pictures, epoch by epoch.
        rules: how samples are made.
        device: where the batches are wanted.
        options: loader processes; they have no influence on what is in a batch.
        held: held-out pictures.
    """

    def __init__(
        self,
        stills: Stills,
        order: AspectBatches,
        rules: StillRules,
        device: torch.device,
        options: LoaderOptions | None = None,
        *,
        held: Held | None = None,
    ) -> None:
        self.order, self.device = order, device
        collate = partial(stack_stills, multiple=rules.multiple)
        samples, options = StillSamples(stills, rules), options or LoaderOptions()
        super().__init__(samples, order, collate, device, options=options, held=held)

    def __len__(self) -> int:
        return len(self.order)

    @property
    def pictures(self) -> int:
        """Number of pictures that an epoch draws from."""
        return len(self.order.aspects)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Batches ``first`` to the last of an epoch.

        Raises:
            SpotlabelError: a picture or its mask cannot be used.
        """
        self.order.start(epoch, first)
        for batch in self.batches():
            yield cast("Batch", {k: v.to(self.device, non_blocking=True) for k, v in batch.items()})

"""Batches for training: worker processes on the CPU side, the device side of the fast path."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spotlabel.detector.contract import Batch
from spotlabel.detector.data.batches import stack_samples
from spotlabel.detector.data.device import prepare, stack_raw
from spotlabel.detector.data.frames import EpochBatches, FrameList, ParitySamples, RawSamples, SampleRules
from spotlabel.pipeline.errors import SpotlabelError

StartMethod = Literal["fork", "forkserver", "spawn"]


@dataclass(frozen=True)
class LoaderOptions:
    """How batches come to the device; none of it changes what is in them.

    Attributes:
        workers: loader processes; 0 reads in the training process.
        fast: warp and colour on the device rather than on the CPU.
        start_method: how loader processes start.
    """

    workers: int = 0
    fast: bool = False
    start_method: StartMethod = "forkserver"


class Batches:
    """Batches of an epoch on a device.

    Args:
        frames: frames to draw from.
        order: which frames, epoch by epoch.
        rules: how samples are made.
        device: where the batches are wanted.
        options: see :class:`LoaderOptions`.
    """

    def __init__(
        self,
        frames: FrameList,
        order: EpochBatches,
        rules: SampleRules,
        device: torch.device,
        options: LoaderOptions | None = None,
    ) -> None:
        self.order, self.rules, self.device = order, rules, device
        self.options = options or LoaderOptions()
        self.waited = 0.0
        """Seconds spent waiting for loader processes, or reading where there are none."""
        dataset: Any
        collate: Any
        if self.options.fast:
            dataset, collate = RawSamples(frames, rules), partial(stack_raw, colour=rules.colour)
        else:
            dataset, collate = ParitySamples(frames, rules), stack_samples
        if self.options.workers and self.options.start_method == "fork":
            cv2.setNumThreads(1)  # a forked child would wait for ever for the threads of its parent's pool
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=order,
            collate_fn=partial(_collated, collate=collate),
            num_workers=self.options.workers,
            pin_memory=device.type == "cuda",
            persistent_workers=self.options.workers > 0,
            multiprocessing_context=self.options.start_method if self.options.workers else None,
            worker_init_fn=single_threaded,
            generator=torch.Generator(),  # its own: drawing worker seeds must not touch the global stream
        )

    def __len__(self) -> int:
        return len(self.order)

    @property
    def pictures(self) -> int:
        """Number of frames that an epoch draws from."""
        return self.order.frames

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Batches ``first`` to the last of an epoch.

        Raises:
            FrameError, StoreError: a frame cannot be read.
        """
        self.order.start(epoch, first)
        source = iter(self._loader)
        while (batch := self._next(source)) is not None:
            moved = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
            yield prepare(moved, self.rules) if self.options.fast else cast(Batch, moved)

    def _next(self, source: Iterator[Any]) -> dict[str, Tensor] | None:
        started = time.monotonic()
        batch = next(source, None)
        self.waited += time.monotonic() - started
        if isinstance(batch, SpotlabelError):
            raise batch
        return batch


def _collated(samples: list[Any], collate: Callable[[list[Any]], Any]) -> Any:
    """A batch, or the first error among its samples."""
    return next((s for s in samples if isinstance(s, SpotlabelError)), None) or collate(samples)


def single_threaded(_worker: int) -> None:
    """One thread per loader process: there are as many processes as cores already.

    An interrupt at the terminal reaches them, too; the training process decides what becomes of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    torch.set_num_threads(1)

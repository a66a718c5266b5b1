"""Loader processes, and batches of videos' frames: their side on the CPU, then that of the device."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, cast

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from spotlabel.detector.contract import Batch
from spotlabel.detector.data.batches import stack_samples
from spotlabel.detector.data.device import prepare, stack_raw
from spotlabel.detector.data.frames import (
    EpochBatches,
    FrameList,
    Key,
    ParitySamples,
    RawSamples,
    SampleRules,
)
from spotlabel.detector.data.labelled import Held, RawFrame
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.frames.prefetch import prefetch

StartMethod = Literal["fork", "forkserver", "spawn"]
LOADER_DIED = "DataLoader worker (pid"
"""How torch's error begins where a loader process was killed; not where it raised an error."""
AHEAD = 2
"""Groups of held-out frames that are read ahead where there are no loader processes."""


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


class Order(Protocol):
    """Which samples a batch is made of, batch by batch."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[list[Key]]: ...


class _HeldKey(NamedTuple):
    """A held-out picture."""

    place: int


class _Both(Dataset[Any]):
    """Samples to train on and held-out pictures, for the same processes; errors come as what they are."""

    def __init__(self, samples: Dataset[Any], held: Held | None) -> None:
        self.samples, self.held = samples, held

    def __getitem__(self, key: Key | _HeldKey) -> Any:
        if isinstance(key, Key):
            return self.samples[key]
        assert self.held is not None
        try:
            return self.held[key.place]
        except SpotlabelError as error:
            return error


class _Wanted(Sampler[list[Any]]):
    """The batches of the epoch, or groups of held-out pictures while these are wanted."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.held: list[list[_HeldKey]] | None = None

    def __len__(self) -> int:
        return len(self.order) if self.held is None else len(self.held)

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.order if self.held is None else self.held)


class Feed:
    """Loader processes, of which batches to train on and held-out pictures come in turns.

    Args:
        samples: gives a sample, or the error that says why there is none, for each key of ``order``.
        order: which samples, batch by batch.
        collate: makes a batch of samples.
        device: where batches are wanted.
        options: see :class:`LoaderOptions`.
        held: held-out pictures; None if there are none.

    Attributes:
        waited: seconds spent waiting for loader processes, or reading where there are none; set to 0 by
            whoever counts.
    """

    def __init__(
        self,
        samples: Dataset[Any],
        order: Order,
        collate: Callable[[list[Any]], Any],
        device: torch.device,
        *,
        options: LoaderOptions,
        held: Held | None,
    ) -> None:
        self.options, self.waited = options, 0.0
        self._held, self._wanted = held, _Wanted(order)
        if options.workers and options.start_method == "fork":
            cv2.setNumThreads(1)  # a forked child would wait for ever for the threads of its parent's pool
        self._loader: DataLoader[Any] = DataLoader(
            _Both(samples, held),
            batch_sampler=self._wanted,
            collate_fn=partial(_collated, collate=collate),
            num_workers=options.workers,
            pin_memory=device.type == "cuda",
            persistent_workers=options.workers > 0,
            multiprocessing_context=options.start_method if options.workers else None,
            worker_init_fn=single_threaded,
            generator=torch.Generator(),  # its own: drawing worker seeds must not touch the global stream
        )

    def batches(self) -> Iterator[Any]:
        """Batches in the order, as collated.

        Raises:
            SpotlabelError: a sample cannot be made.
        """
        self._wanted.held = None
        source = iter(self._loader)
        while (batch := self._next(source)) is not None:
            yield batch

    def held_out(self, indices: Sequence[int], batch: int) -> Iterator[list[RawFrame]]:
        """Held-out pictures in the order of their indices, ``batch`` at a time, read ahead.

        Raises:
            SpotlabelError: a picture cannot be read.
        """
        assert self._held is not None
        done = 0
        if self.options.workers:
            keys = [_HeldKey(index) for index in indices]
            self._wanted.held = [keys[first : first + batch] for first in range(0, len(keys), batch)]
            try:
                for frames in iter(self._loader):
                    yield _sound(frames)
                    done += 1
            except RuntimeError as error:
                if LOADER_DIED not in str(error):  # else: a signal to all processes; the rest is read here
                    raise
        yield from held_frames(self._held, indices[done * batch :], batch)

    def _next(self, source: Iterator[Any]) -> Any:
        started = time.monotonic()
        batch = next(source, None)
        self.waited += time.monotonic() - started
        return _sound(batch)


def held_frames(held: Held, indices: Sequence[int], batch: int) -> Iterator[list[RawFrame]]:
    """Held-out pictures in the order of their indices, ``batch`` at a time, read ahead by a thread.

    Raises:
        SpotlabelError: a picture cannot be read.
    """
    groups = (indices[first : first + batch] for first in range(0, len(indices), batch))
    return prefetch(([held[index] for index in group] for group in groups), AHEAD)


class Batches(Feed):
    """Batches of an epoch on a device.

    Args:
        frames: frames to draw from.
        order: which frames, epoch by epoch.
        rules: how samples are made.
        device: where the batches are wanted.
        options: see :class:`LoaderOptions`.
        held: held-out frames.
    """

    def __init__(
        self,
        frames: FrameList,
        order: EpochBatches,
        rules: SampleRules,
        device: torch.device,
        options: LoaderOptions | None = None,
        *,
        held: Held | None = None,
    ) -> None:
        self.order, self.rules, self.device = order, rules, device
        options = options or LoaderOptions()
        samples: Dataset[Any]
        collate: Callable[[list[Any]], Any]
        if options.fast:
            samples, collate = RawSamples(frames, rules), partial(stack_raw, colour=rules.colour)
        else:
            samples, collate = ParitySamples(frames, rules), stack_samples
        super().__init__(samples, order, collate, device, options=options, held=held)

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
        for batch in self.batches():
            moved = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
            yield prepare(moved, self.rules) if self.options.fast else cast("Batch", moved)


def _collated(samples: list[Any], collate: Callable[[list[Any]], Any]) -> Any:
    """A batch, held-out pictures as they are, or the first error among them."""
    if error := next((s for s in samples if isinstance(s, SpotlabelError)), None):
        return error
    return samples if isinstance(samples[0], RawFrame) else collate(samples)


def _sound(found: Any) -> Any:
    """What came from a loader process, unless it is an error."""
    if isinstance(found, SpotlabelError):
        raise found
    return found


def single_threaded(_worker: int) -> None:
    """One thread per loader process: there are as many processes as cores already.

    An interrupt at the terminal reaches them, too; the training process decides what becomes of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    torch.set_num_threads(1)

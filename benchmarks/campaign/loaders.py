"""R20: training batches, however and by how many processes they are read."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from typing import cast

import torch

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.detector.data.frames import EpochBatches, FrameList, SampleRules
from spotlabel.detector.data.labelled import ClassMap, Labelled
from spotlabel.detector.data.loader import Batches, LoaderOptions, StartMethod
from spotlabel.detector.data.split import Part
from tests.helpers.training_data import labelled

_EPOCHS = 3
_METHODS: tuple[StartMethod, ...] = ("fork", "forkserver", "spawn")


def run(bench: Bench) -> Iterator[Result]:
    """Checksums of every batch of three epochs, read by workers started in three ways."""
    workers = bench.counts.workers
    tally = Tally(
        "R20",
        f"{workers} loader processes, started by fork, forkserver and spawn",
        f"BLAKE2 over every tensor of every batch of {_EPOCHS} epochs, compared with those read by one "
        "process alone",
        len(_METHODS),
    )
    torch.set_num_threads(1)
    street = labelled(bench.fresh("loaders"), frames=18)
    alone = _checksum(street, 0, "fork")
    for method in _METHODS:
        found = _checksum(street, workers, method)
        tally.record(method, [] if found == alone else ["other batches"])
    yield tally.result()


def _checksum(street: Labelled, workers: int, method: StartMethod) -> str:
    frames = FrameList((Part(street, tuple(street.usable())),), ClassMap(("object",), merge=True))
    order, rules = EpochBatches(len(frames), 2, seed=1), SampleRules((96, 128), seed=7)
    batches = Batches(frames, order, rules, torch.device("cpu"), LoaderOptions(workers, False, method))
    hasher = hashlib.blake2b()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # more workers than cores are wanted here
        for epoch in range(_EPOCHS):
            for batch in batches.epoch(epoch):
                for name, value in sorted(cast(dict[str, torch.Tensor], batch).items()):
                    hasher.update(name.encode() + value.numpy().tobytes())
    return hasher.hexdigest()

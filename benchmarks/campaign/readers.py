"""R9: readers while the file they read is replaced, again and again."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo

_READERS = 2
_FRAMES = 12
_SIZE = (40, 48)


def run(bench: Bench) -> Iterator[Result]:
    """Two processes read whole files while two contents replace each other under one name."""
    tally = Tally(
        "R9",
        "a store replaced while it is read",
        f"two contents take turns under one name while {_READERS} processes read all its frames, with a new "
        "reader each time, with one reader kept open, and with one closed in between: each reading is the "
        "old or the new content as a whole, or a clear error that the file was replaced",
        bench.counts.replacements,
    )
    path = bench.fresh("readers") / "m.h5"
    _write(path, 0)
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(_READERS)]
    processes = [context.Process(target=_read_on, args=(path, theirs)) for _, theirs in ends]
    for process in processes:
        process.start()
    for ours, _ in ends:
        assert ours.recv() == "reading"
    for number in range(bench.counts.replacements):
        _write(path, 1 + number % 2)
        time.sleep(0.002)
        tally.record(f"replacement {number + 1}", [])
    readings, refused = 0, 0
    for ours, _ in ends:
        ours.send("stop")
        done, told, problems = ours.recv()
        readings, refused = readings + done, refused + told
        tally.blame("a reader", problems)
        if not done:
            tally.blame("a reader", ["read nothing"])
    for process in processes:
        process.join()
    yield tally.result(f"{readings:,} whole readings, {refused:,} clear refusals")


def _content(which: int) -> list[npt.NDArray[np.uint8]]:
    """Masks of one content: the same value everywhere would hide a mixture, so each has its own noise."""
    draw = np.random.default_rng(which)
    return [draw.choice(np.array([0, 1, 255], np.uint8), _SIZE) for _ in range(_FRAMES)]


def _write(path: Path, which: int) -> None:
    boxes = BoxTable(
        np.zeros(_FRAMES + 1, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.int16),
        np.zeros(0, np.int64), np.zeros(0, np.uint8),
    )  # fmt: skip
    info = StoreInfo("v", _SIZE, np.arange(_FRAMES), {"content": which})
    with MaskWriter.writing(path, info, boxes) as writer:
        for index, mask in enumerate(_content(which)):
            writer.put(index, mask, FrameState.OK, np.zeros(0, np.float32), np.zeros(0, np.bool_))


def _read_on(path: Path, channel: Connection) -> None:
    """Read until told to stop; tell readings, refusals, and what was wrong."""
    known = {tuple(mask.tobytes() for mask in _content(which)) for which in range(3)}
    kept, closed = MaskReader(path), MaskReader(path)
    readings, refused, problems = 0, 0, []
    channel.send("reading")
    while not channel.poll():
        for reader in (MaskReader(path), kept, closed):
            try:
                found = tuple(reader.read(index).tobytes() for index in range(_FRAMES))
            except StoreError as error:
                refused += 1
                if "was replaced" not in str(error):
                    problems.append(str(error))
                kept, closed = MaskReader(path), MaskReader(path)
                break
            readings += 1
            if found not in known:
                problems.append("a reading that is neither the old nor the new content")
        closed.close()
    channel.send((readings, refused, problems))

"""One measurement of PAWCS in a process of its own; prints it as a line of JSON.

Run by :mod:`benchmarks.bench_pawcs`, in an empty working directory, since pybgs reads and writes there.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from benchmarks.pawcs_frames import Image, read_frames, read_truth
from spotlabel.labelers.pawcs.engine import PawcsEngine
from spotlabel.labelers.pawcs.settings import PawcsSettings
from spotlabel.pipeline.measures.pixels import PixelCounts, count

Apply = Callable[[Image], Image]
REFERENCE = "pybgs"


def reference() -> Apply:
    """A fresh PAWCS of pybgs, its random numbers started at 1."""
    import pybgs  # noqa: PLC0415 - an optional package

    ctypes.CDLL(None).srand(1)
    apply: Apply = pybgs.PAWCS().apply
    return apply


def contender(name: str, first: Image, settings: dict[str, Any]) -> Apply:
    """The apply function of pybgs or of an engine of ours."""
    return reference() if name == REFERENCE else PawcsEngine(first, PawcsSettings(**settings)).apply


def compile_all(image: Image) -> None:
    """Load or build the compiled code before anything is measured."""
    PawcsEngine(image[:64, :64].copy(), PawcsSettings()).apply(image[:64, :64].copy())


def timing(
    data: Path, sequence: str, warm_up: int, frames: int, contenders: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """CPU and wall milliseconds a frame of each contender, frame by frame in turn.

    Args:
        data: folder of the sequences.
        sequence: its name.
        warm_up: frames before the clock runs.
        frames: frames to time.
        contenders: settings by name; ``pybgs`` is the reference.

    Returns:
        For each contender the medians ``cpu`` and ``wall`` and the milliseconds of its construction and
        first frame, ``first``.
    """
    cv2.setNumThreads(1)
    appliers: dict[str, Apply] = {}
    first: dict[str, float] = {}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    for number, image in enumerate(read_frames(data, sequence, warm_up + frames)):
        if number == 0:
            compile_all(image)
        for name, settings in contenders.items():
            started, wall_started = time.process_time(), time.perf_counter()
            if number == 0:
                appliers[name] = contender(name, image, settings)
            appliers[name](image)
            spent, wall_spent = time.process_time() - started, time.perf_counter() - wall_started
            if number == 0:
                first[name] = 1e3 * spent
            if number >= warm_up:
                cpu[name].append(1e3 * spent)
                wall[name].append(1e3 * wall_spent)
    return {
        name: {
            "cpu": float(np.median(cpu[name])),
            "wall": float(np.median(wall[name])),
            "first": first[name],
        }
        for name in contenders
    }


def memory(data: Path, sequence: str, frames: int, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Peak resident memory that one contender adds over a number of frames, MB."""
    cv2.setNumThreads(1)
    images = list(read_frames(data, sequence, frames))
    compile_all(images[0])
    process = psutil.Process()
    before = process.memory_info().rss
    peak = before
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    apply = contender(name, images[0], settings)
    for image in images:
        apply(image)
        peak = max(peak, process.memory_info().rss)  # also where the watcher waits for the interpreter lock
    done.set()
    watcher.join()
    return {"memory": (peak - before) / 1e6}


def quality(data: Path, sequence: str, settings: dict[str, Any]) -> dict[str, Any]:
    """F over the evaluated frames of a CDnet sequence, by CDnet's rule."""
    cv2.setNumThreads(1)
    truth = read_truth(data, sequence)
    position, foreground, valid = next(truth)
    engine, counts = None, PixelCounts()
    for number, image in enumerate(read_frames(data, sequence)):
        engine = engine or PawcsEngine(image, PawcsSettings(**settings))
        mask = engine.apply(image)
        if number == position:
            counts += count((mask > 0).astype(np.uint8), foreground, valid)
            position, foreground, valid = next(truth, (-1, foreground, valid))
    return {"f": counts.f_measure, "precision": counts.precision, "recall": counts.recall}


def main() -> None:
    """Take one measurement: its name and its arguments as JSON."""
    kinds: dict[str, Callable[..., dict[str, Any]]] = {
        "timing": timing, "memory": memory, "quality": quality,
    }  # fmt: skip
    kind, data, arguments = sys.argv[1:]
    print(json.dumps(kinds[kind](Path(data), **json.loads(arguments))))


if __name__ == "__main__":
    main()

"""PAWCS on the card: the CPU's masks bit for bit, frames/s of batches, what the kernels are bound by."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import islice
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import cuda

from benchmarks.bench_pawcs_cuda import differing, measure
from benchmarks.gpu.material import rendered
from benchmarks.gpu.setting import Record, Setting
from benchmarks.pawcs_frames import read_frames
from spotlabel.labelers.pawcs.cuda import batch as batch_module
from spotlabel.labelers.pawcs.cuda import kernels
from spotlabel.labelers.pawcs.cuda.batch import PawcsBatch
from spotlabel.labelers.pawcs.devices import cuda_problem
from spotlabel.labelers.pawcs.settings import PawcsSettings
from spotlabel.pipeline.errors import SpotlabelError

Image = npt.NDArray[np.uint8]

BYTES = {
    "compare_words": 510,
    "settle_pixels": 60,
    "settle_cells": 20,
    "adapt_pixels": 120,
    "grant_updates": 90,
}
"""Moved per pixel and frame: the estimate of docs/pawcs-cuda.md."""
KERNELS = (*BYTES, "gather_rows", "settle_globals")
_THREADS_A_BLOCK = 128
_REGISTERS_AT_A_TIME = 256
"""Registers are given to a warp in portions of this many."""
_REPEATS = 10


def run(setting: Setting, record: Record) -> None:
    """Masks first: speed is worth nothing without them."""
    if problem := cuda_problem():
        raise RuntimeError(problem)
    sizes = ((16, 16, 3),) if setting.quick else ((320, 240, 100), (960, 540, 60))
    repeats = 1 if setting.quick else _REPEATS
    threads = 1 if setting.quick else min(numba.config.NUMBA_DEFAULT_NUM_THREADS, 16)
    settings = PawcsSettings(threads=threads, **({"words": 10, "bootstrap": 5} if setting.quick else {}))
    frames = {}
    for width, height, count in sizes:
        frames[width, height], source = _frames(setting, width, height, count)
        record.fact(f"frames {width}x{height}", f"{count} {source}")
    for (width, height), images in frames.items():
        started = time.perf_counter()
        masks, levels = differing(images, settings)
        record.row("GPU beside CPU", size=f"{width}x{height}", frames=len(images), **{
            "pixels of masks that differ": masks, "of the distance evidence": levels,
            "seconds, compiling included": time.perf_counter() - started,
        })  # fmt: skip
    simulated = bool(numba.config.ENABLE_CUDASIM)
    bandwidth = 0.0 if simulated else copy_bandwidth()
    if not simulated:
        record.fact("copying on the card, GB/s read and written", bandwidth / 1e9)
        _tell_occupancy(record)
    for (width, height), images in frames.items():
        for videos in (2,) if setting.quick else (1, 4, 16):
            warm_up = max(1, len(images) // 3)
            measures = measure(images, videos, warm_up, settings, repeats)
            speed = _speed(videos, width * height, measures, bandwidth)
            record.row("Frames/s", size=f"{width}x{height}", videos=videos, **speed)
        if not simulated:
            _tell_kernels(record, images, settings, bandwidth)


def _frames(setting: Setting, width: int, height: int, count: int) -> tuple[list[Image], str]:
    """Real frames of the size where they lie beside the checkout, else rendered ones; and which."""
    name = "highway" if width == 320 else "MVI_40201"
    try:
        images = [] if setting.quick else list(islice(read_frames(setting.data, name), count))
    except SpotlabelError:
        images = []
    if len(images) == count and images[0].shape == (height, width, 3):
        return images, f"of {name}"
    if width < 32:  # smaller than a scene can be
        return [image[:height, :width].copy() for image in rendered(32, 32, count)], "rendered"
    return rendered(width, height, count), "rendered"


def _speed(
    videos: int, pixels: int, measures: tuple[float, float, float], bandwidth: float
) -> dict[str, object]:
    """Figures of a batch from seconds a step, seconds of its kernels and bytes a video."""
    whole, alone, memory = measures
    row: dict[str, object] = {"frames/s": videos / whole}
    row |= {"frames/s, kernels alone": videos / alone, "ms a step": 1e3 * whole, "kernels, ms": 1e3 * alone}
    row["MiB a video"] = memory / 2**20
    if bandwidth:
        moved = videos * pixels * sum(BYTES.values()) / alone
        row |= {"GB/s by the estimate": moved / 1e9, "of the card's": moved / bandwidth}
    return row


def copy_bandwidth() -> float:
    """Bytes a second read and written by a copy on the device."""
    size = 2**30
    source, target = (cuda.device_array(size, np.uint8) for _ in range(2))
    target.copy_to_device(source)
    start, stop = cuda.event(), cuda.event()
    start.record()
    for _ in range(_REPEATS):
        target.copy_to_device(source)
    stop.record()
    stop.synchronize()
    return float(2 * size * _REPEATS / (1e-3 * cuda.event_elapsed_time(start, stop)))


def resident_warps(registers: int, threads: int, of_registers: int, of_warps: int) -> int:
    """Warps of a kernel that a multiprocessor can hold at a time, as far as registers decide.

    Args:
        registers: a thread's.
        threads: of a block.
        of_registers: that a multiprocessor has.
        of_warps: likewise.
    """
    warps = -(-threads // 32)
    portions = -(-32 * registers // _REGISTERS_AT_A_TIME) * _REGISTERS_AT_A_TIME
    return min(of_registers // (portions * warps) * warps, of_warps // warps * warps)


def _tell_occupancy(record: Record) -> None:
    device = cuda.get_current_device()
    registers, warps = device.MAX_REGISTERS_PER_MULTIPROCESSOR, device.MAX_THREADS_PER_MULTIPROCESSOR // 32
    record.fact("multiprocessors", device.MULTIPROCESSOR_COUNT)
    for name in KERNELS:
        threads = 32 if name == "gather_rows" else _THREADS_A_BLOCK
        for used in getattr(kernels, name).get_regs_per_thread().values():
            held = resident_warps(used, threads, registers, warps)
            record.row("Occupancy", kernel=name, registers=used, warps=f"{held} of {warps}")


def _tell_kernels(record: Record, images: list[Image], settings: PawcsSettings, bandwidth: float) -> None:
    """Milliseconds of each kernel in a batch of four."""
    videos = 4
    with PawcsBatch(images[:1] * videos, settings) as batch:
        for image in images:
            batch.apply([image] * videos)
        times = kernel_times(batch)
    pixels = videos * images[0].shape[0] * images[0].shape[1]
    for name, seconds in times.items():
        moved = pixels * BYTES.get(name, 0) / seconds
        record.row(
            f"Kernels, {videos} videos of {images[0].shape[1]}x{images[0].shape[0]}",
            kernel=name, ms=1e3 * seconds, **{"of the card's bandwidth": moved / bandwidth},
        )  # fmt: skip


def kernel_times(batch: PawcsBatch) -> dict[str, float]:
    """Median seconds of each kernel of a batch's step."""
    names = {getattr(kernels, name): name for name in KERNELS}
    events: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    plain = batch_module._run

    def timed(kernel: Any, blocks: tuple[int, int], *arguments: object) -> None:
        start, stop = cuda.event(), cuda.event()
        start.record()
        plain(kernel, blocks, *arguments)
        stop.record()
        events[names[kernel]].append((start, stop))

    batch_module._run = timed
    try:
        for _ in range(_REPEATS):
            batch.step()
    finally:
        batch_module._run = plain
    cuda.synchronize()
    return {
        name: 1e-3 * float(np.median([cuda.event_elapsed_time(*pair) for pair in pairs]))
        for name, pairs in events.items()
    }

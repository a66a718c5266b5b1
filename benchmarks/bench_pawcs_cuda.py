"""Measure PAWCS on a GPU: frames a second for batches of videos, and whether its masks are the CPU's.

``python -m benchmarks.bench_pawcs_cuda`` prints a Markdown table. Frames are made up (moving blocks on a
noisy, textured background) or, with ``--data``, those of MVI_40201, each video starting elsewhere in it. All
frames lie in memory before the clock runs. *kernels* is the device alone: the step repeated on the last
frames, which learns them again; *all* is what a caller waits for, with copies and the host's part.
"""

from __future__ import annotations

import os
import time
from itertools import islice
from pathlib import Path

import click
import numpy as np

from benchmarks.pawcs_frames import Image, read_frames
from spotlabel.labelers.pawcs.devices import cuda_problem
from spotlabel.labelers.pawcs.engine import PawcsEngine
from spotlabel.labelers.pawcs.settings import PawcsSettings

_MEBIBYTE = 2**20
_SEQUENCE = "MVI_40201"


def made_up_frames(height: int, width: int, count: int) -> list[Image]:
    """Textured background with noise, crossed by a dozen blocks; uint8 (H, W, 3) each."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (-(-height // 8), -(-width // 8), 3))
    background = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].astype(np.float32)
    size_y, size_x = max(height // 10, 4), max(width // 10, 4)
    tops = rng.integers(2, height - size_y - 2, 12)
    starts, speeds = rng.integers(0, width, 12), rng.integers(1, 8, 12)
    colours = rng.integers(0, 256, (12, 3))
    frames = []
    for number in range(count):
        image = background + rng.normal(0, 3, background.shape).astype(np.float32)
        for top, start, speed, colour in zip(tops, starts, speeds, colours, strict=True):
            left = (start + speed * number) % width
            image[top : top + size_y, left : left + size_x] = colour
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    return frames


def measure(
    frames: list[Image], videos: int, warm_up: int, settings: PawcsSettings, repeats: int = 10
) -> tuple[float, float, float]:
    """Seconds a batch step in all and in kernels, and device bytes a video.

    Args:
        frames: of one video; each video of the batch starts elsewhere and goes round.
        videos: how many.
        warm_up: steps before the clock runs.
        settings: of PAWCS.
        repeats: steps of the kernels alone.
    """
    from numba import cuda  # noqa: PLC0415 - only where there is one

    from spotlabel.labelers.pawcs.cuda.batch import PawcsBatch  # noqa: PLC0415

    starts = [number * len(frames) // videos for number in range(videos)]

    def images(step: int) -> list[Image]:
        return [frames[(start + step) % len(frames)] for start in starts]

    times = []
    with PawcsBatch(images(0), settings) as batch:
        for step in range(len(frames)):
            batch_images = images(step)
            begin = time.perf_counter()
            batch.apply(batch_images)
            times.append(time.perf_counter() - begin)
        cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(repeats):
            batch.step()
        cuda.synchronize()
        kernels = (time.perf_counter() - begin) / repeats
        return float(np.median(times[warm_up:])), kernels, batch.memory / videos


def differing(frames: list[Image], settings: PawcsSettings) -> tuple[int, int]:
    """Pixels in which the masks and the distance evidence of the GPU differ from the CPU's."""
    from spotlabel.labelers.pawcs.cuda.single import CudaEngine  # noqa: PLC0415

    masks = levels = 0
    with PawcsEngine(frames[0], settings, True) as cpu, CudaEngine(frames[0], settings, True) as gpu:
        for frame in frames:
            masks += int(np.count_nonzero(cpu.apply(frame) != gpu.apply(frame)))
            levels += int(np.count_nonzero(cpu.level != gpu.level))
    return masks, levels


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help=f"Folder that holds {_SEQUENCE}.")
@click.option("--videos", default="1,4,16", show_default=True, help="Batch sizes.")
@click.option("--size", default="960x540", show_default=True, help="Of made-up frames.")
@click.option("--frames", default=200, show_default=True, type=click.IntRange(min=2))
@click.option("--warm-up", default=50, show_default=True, type=click.IntRange(min=1))
@click.option("--check", default=60, show_default=True, help="Frames to compare with the CPU; 0: none.")
@click.option("--threads", default=os.cpu_count() or 1, show_default=True, help="For the host's part.")
def main(  # noqa: PLR0917 - options
    data: Path | None, videos: str, size: str, frames: int, warm_up: int, check: int, threads: int
) -> None:
    """Print frames a second by batch size, and the pixels that differ from the CPU's."""
    problem = cuda_problem()
    if problem:
        raise click.ClickException(f"{problem}; install spotlabel[cuda] and an NVIDIA driver")
    if warm_up >= frames:
        raise click.ClickException(f"--warm-up {warm_up} leaves nothing of --frames {frames}")
    if data is None:
        width, height = (int(side) for side in size.split("x"))
        images = made_up_frames(height, width, frames)
    else:
        images = list(read_frames(data, _SEQUENCE, frames))
    settings = PawcsSettings(threads=threads)
    if check:
        masks, levels = differing(list(islice(images, check)), settings)
        click.echo(f"GPU against CPU, {min(check, frames)} frames: {masks} pixels of masks differ, ")
        click.echo(f"{levels} of the distance evidence\n")
    click.echo("| videos | frames/s | ms a step, all | kernels | frames/s, kernels alone | MiB a video |")
    click.echo("|---|---|---|---|---|---|")
    for count in (int(word) for word in videos.split(",")):
        whole, kernels, memory = measure(images, count, warm_up, settings)
        click.echo(
            f"| {count} | {count / whole:.0f} | {1e3 * whole:.2f} | {1e3 * kernels:.2f} "
            f"| {count / kernels:.0f} | {memory / _MEBIBYTE:.0f} |"
        )
    click.echo(f"\nmedian of {frames - warm_up} steps after {warm_up}; {threads} host threads")


if __name__ == "__main__":
    main()

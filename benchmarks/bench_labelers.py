"""What labelers cost: ``make bench-labelers [DATA=../shared/data]``.

CPU time on one thread, decoding and every pass over the video included, code compiled before. With ``--data``
UA-DETRAC's MVI_40201 (960x540) and the DAVIS sequences (854x480), else rendered scenes of these sizes. Each
figure is the median of some runs, which are made in turn, so that a drifting machine drifts for all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import cv2
import numba

from spotlabel.labelers.base import ClipFrame
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.stages.clip import SequenceClip
from spotlabel.pipeline.upkeep.plan import Item, items

AIMS = {"boxbg": 40, "egoflow": 5, "egoflow-cut": 5}
"""Frames per second of CPU time."""
WARMING = 60
"""Frames of the run that compiles and is not counted."""


class _First:
    """The first frames of a clip."""

    def __init__(self, clip: SequenceClip, frames: int) -> None:
        self._clip, self._frames = clip, frames
        self.size, self.step = clip.size, clip.step

    def __len__(self) -> int:
        return self._frames

    def __iter__(self) -> Iterator[ClipFrame]:
        return islice(iter(self._clip), self._frames)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return islice(self._clip.sampled(every), len(range(0, self._frames, every)))


def measured(data: Path | None, labeler: str) -> list[Item]:
    """The sequences that a labeler is measured on."""
    fixed = labeler == "boxbg"
    if data is None:
        size = {"width": 960, "height": 540} if fixed else {"width": 854, "height": 480}
        scene = size | {"camera": "fixed" if fixed else "moving", "frames": 400 if fixed else 60}
        dataset: dict[str, Any] = {"reader": "synthetic", "scenes": [{"name": "rendered", **scene}]}
    else:
        dataset = {"reader": "ua-detrac" if fixed else "davis"}
    where = "." if data is None else str(data / str(dataset["reader"]))
    tree = {"data": where, "out": "runs/bench", "dataset": dataset, "labeler": labeler}
    return list(items(build_recipe(tree, where=f"bench of {labeler}")))


def seconds(item: Item, frames: int | None) -> tuple[float, int]:
    """CPU seconds of a labeler over the first frames of a sequence (None: all), and their number."""
    sequence = item.sequence
    clip = SequenceClip(sequence, FrameOptions(), sequence.load())
    short = _First(clip, frames or len(sequence.frames))
    started = time.process_time()
    count = sum(1 for _ in item.labeler(item.settings).label(short))
    return time.process_time() - started, count


def compiling() -> float:
    """CPU seconds that the first run of ``boxbg`` on a machine takes longer than the second: compiling."""
    run = (
        "import time; from pathlib import Path; from benchmarks.bench_labelers import measured, seconds\n"
        f"seconds(measured(None, 'boxbg')[0], {WARMING})\nprint(time.process_time())"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", run]
        first, second = (
            float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            for _ in range(2)
        )
    return first - second


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Folder of ua-detrac and davis.")
@click.option("--only", multiple=True, type=click.Choice(list(AIMS)), help="Only this labeler.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
def main(data: Path | None, only: tuple[str, ...], repeats: int) -> None:
    """Measure and print a Markdown table."""
    cv2.setNumThreads(1)
    numba.set_num_threads(1)
    runs = [(name, item) for name in only or AIMS for item in measured(data, name)]
    for _, item in runs:
        seconds(item, WARMING)
    speeds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for k, (_, item) in enumerate(runs):
            spent, count = seconds(item, None)
            speeds[k].append(count / spent)
    click.echo("| labeler | sequence | frames/s of CPU, one thread (range) | aim |\n|---|---|---|---|")
    for (name, item), seen in zip(runs, speeds, strict=True):
        height, width = item.sequence.frames.size
        figures = f"{median(seen):.1f} ({min(seen):.1f} to {max(seen):.1f})"
        where = f"{item.sequence.name}, {width}x{height}"
        click.echo(f"| {name} | {where} | {figures} | >= {AIMS[name]} |")
    if "boxbg" in (only or AIMS):
        click.echo(f"\nCompiling boxbg, once on a machine: {compiling():.1f} s of CPU (aim: 20)")


if __name__ == "__main__":
    main()

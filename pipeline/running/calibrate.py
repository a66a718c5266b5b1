"""Measure what a recipe's stages cost on the first frames of a video, each stage in a process of its own.

``python -m spotlabel.pipeline.running.calibrate`` is that process: a job as one JSON line on standard input,
the figures as one JSON line to the descriptor named in it; descriptors 1 and 2 are for what libraries print.
Each stage has its own process because the system remembers only the highest peak of memory. Stores go to a
temporary folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import FrameError, SpotlabelError, one_sentence
from spotlabel.pipeline.forecast.costs import frames_kept
from spotlabel.pipeline.forecast.estimate import Cost
from spotlabel.pipeline.frames.glance import about_length
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.isolate import child_environment
from spotlabel.pipeline.running.local import absolute_tree
from spotlabel.pipeline.running.scratch import scratch_folder
from spotlabel.pipeline.sequence import Annotations, FrameSource, Image
from spotlabel.pipeline.stages.evidence import make_evidence
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.upkeep.plan import Item, one_item

_SHARE_OF_SHORT_PASS = 4
_FRAMES_TO_COMPILE = 8
_Stage = Callable[[Recipe, Item, Annotations, FrameProgress], object]
_STAGES: dict[str, _Stage] = {"evidence": make_evidence, "masks": make_masks}


class CalibrationError(SpotlabelError):
    """A video on which nothing could be measured."""


class _Head:
    """The first frames of a source; implements :class:`spotlabel.pipeline.sequence.FrameSource`."""

    def __init__(self, source: FrameSource, count: int) -> None:
        self._source, self._count = source, min(count, len(source))
        self.size, self.step = source.size, source.step
        self.numbers: npt.NDArray[np.int64] = source.numbers[: self._count]

    def __len__(self) -> int:
        return self._count

    def files(self) -> list[Path]:
        return self._source.files()[: self._count]

    def identity(self) -> Mapping[str, object]:
        return {}

    def read(self, index: int) -> Image:
        return self._source.read(index)

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        return islice(self._source.stream(every), len(range(0, self._count, every)))


def calibrate(recipe: Recipe, name: str, frames: int) -> tuple[Cost, Cost]:
    """Cost of evidence and of masks of one video, from its first frames, on one thread.

    Cost per frame is the slope between a short and a long pass, after one that compiles and warms up. For a
    labeler that keeps frames, both passes are longer by as many as it keeps: it then holds all that it ever
    will, and filling them is a cost per video. Of a video too short for that, all is taken to be per frame.

    Args:
        recipe: the recipe; nothing is written under its ``out``.
        name: the sequence.
        frames: length of the long pass, beside frames that the labeler keeps.

    Raises:
        CalibrationError: the stages failed on it; tells why.
    """
    item = one_item(recipe, name)
    kept = frames_kept(item.labeler.name, item.settings)
    lengths = pass_lengths(about_length(item.sequence.frames), frames, kept)
    job = {"recipe": absolute_tree(recipe), "sequence": name}
    compiling = {**job, "lengths": [_FRAMES_TO_COMPILE]}
    with scratch_folder() as scratch:
        for stage in _STAGES:  # fills the caches of compilers, once per machine
            _in_child({**compiling, "stage": stage, "scratch": f"{scratch}/compiling"})
        evidence, masks = (
            _in_child({**job, "lengths": lengths, "stage": stage, "scratch": str(scratch)})
            for stage in _STAGES
        )
    return evidence, masks


def pass_lengths(length: int, frames: int, kept: int) -> list[int]:
    """Frames of the passes: short, long, short again.

    Args:
        length: frames of the video, >= 1.
        frames: how many to measure on.
        kept: whole frames that the labeler keeps; both passes have these on top if the video is long enough.
    """
    short = max(1, frames // _SHARE_OF_SHORT_PASS)
    if kept and length < kept + frames:  # hardly more than is kept: all of it is of one kind
        long = length
        short = max(1, long // _SHARE_OF_SHORT_PASS)
    else:
        short, long = kept + short, kept + min(frames, length)
    return [short, long, short]


def _in_child(job: Mapping[str, Any]) -> Cost:
    """Cost of one stage as a fresh process measures it."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as channel, scratch_folder() as empty:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "spotlabel.pipeline.running.calibrate"], pass_fds=[write_end],
                input=json.dumps({**job, "channel": write_end}), capture_output=True, text=True, cwd=empty,
                errors="replace", env={**child_environment(), "OMP_NUM_THREADS": "1"}, check=False,
            )  # fmt: skip
        finally:
            os.close(write_end)
        told = channel.read()
    try:
        figures = json.loads(told)
    except json.JSONDecodeError:  # it died before it could tell
        said = done.stderr.strip().splitlines() or [f"its process ended with code {done.returncode}"]
        figures = {"error": said[-1]}
    if "error" in figures:
        raise CalibrationError(f"{job['sequence']}: nothing could be measured: {figures['error']}")
    return Cost(**figures)


def main() -> int:
    """Run the job on standard input."""
    job = json.loads(sys.stdin.readline())
    cv2.setNumThreads(1)
    try:
        told = dataclasses.asdict(_measure(job))
    except (SpotlabelError, OSError, MemoryError) as error:
        told = {"error": one_sentence(error)}
    with os.fdopen(int(job["channel"]), "w") as channel:
        channel.write(json.dumps(told))
    return int("error" in told)


def _measure(job: Mapping[str, Any]) -> Cost:
    passes = [_pass(job, number, length) for number, length in enumerate(job["lengths"])]
    return _cost(passes[0], passes[len(passes) // 2], passes[-1])


@dataclasses.dataclass(frozen=True)
class _Seen:
    frames: int
    seconds: float
    bytes: int
    peak: int


def _cost(first: _Seen, whole: _Seen, part: _Seen) -> Cost:
    """Slope between two passes; what is left of the short one is per video, and so is what came only once."""
    apart = whole.frames - part.frames
    if apart <= 0:  # a very short video: all of it is per frame
        return Cost(whole.seconds / whole.frames, 0.0, whole.bytes / whole.frames, whole.peak)
    slope = max(0.0, (whole.seconds - part.seconds) / apart)
    once = max(0.0, first.seconds - part.seconds)
    fixed = max(0.0, part.seconds - slope * part.frames) + once
    return Cost(slope, fixed, max(0.0, (whole.bytes - part.bytes) / apart), whole.peak)


def _pass(job: Mapping[str, Any], number: int, length: int) -> _Seen:
    """One stage over the first frames, in a folder of its own, where the stage before has left its store."""
    out = Path(job["scratch"]) / f"{number}"
    recipe = build_recipe({**job["recipe"], "out": str(out)})
    item, annotations = _head(one_item(recipe, job["sequence"]), length)
    path = item.evidence_path if job["stage"] == "evidence" else item.mask_path

    def silent(_done: int, _total: int) -> None:
        pass

    started = time.process_time()
    _STAGES[job["stage"]](recipe, item, annotations, silent)
    spent = time.process_time() - started
    return _Seen(len(item.sequence.frames), spent, os.path.getsize(path), _peak())


def _peak() -> int:
    """Most memory that this process has held, bytes.

    What ``getrusage`` tells is no less than what the process held that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _head(item: Item, length: int) -> tuple[Item, Annotations]:
    """The item cut to its first frames, with their annotations."""
    annotations, frames = item.sequence.load(), _Head(item.sequence.frames, length)
    cut = dataclasses.replace(item.sequence, frames=frames)
    alone = dataclasses.replace(item, sequence=cut, group=None)  # other videos' parts are theirs
    return alone, _cut(annotations, len(frames))


def _cut(annotations: Annotations, length: int) -> Annotations:
    boxes = annotations.boxes
    end = int(boxes.offsets[length])
    cut = BoxTable(
        boxes.offsets[: length + 1], boxes.xyxy[:end], boxes.class_id[:end], boxes.track_id[:end],
        boxes.flags[:end],
    )  # fmt: skip
    return dataclasses.replace(annotations, boxes=cut)


if __name__ == "__main__":
    sys.exit(main())

"""Measure what a recipe's stages cost on the first frames of a video, in a process of its own.

``python -m pipeline.running.calibrate`` is that process: a job as one JSON line on standard input, the
figures as one JSON line at the end of standard output. Stores go to a temporary folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.boxes import BoxTable
from pipeline.errors import FrameError, SpotlabelError
from pipeline.estimate import Cost
from pipeline.plan import Item, one_item
from pipeline.recipe import Recipe, build_recipe
from pipeline.running.isolate import child_environment
from pipeline.running.schedule import absolute_tree
from pipeline.sequence import Annotations, FrameSource, Image
from pipeline.stages.evidence import make_evidence
from pipeline.stages.masks import make_masks

_SHARE_OF_SHORT_PASS = 4
_FRAMES_TO_COMPILE = 8


class CalibrationError(SpotlabelError):
    """A video on which nothing could be measured."""


class _Head:
    """The first frames of a source; implements :class:`pipeline.sequence.FrameSource`."""

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

    def stream(self) -> Iterator[Image | FrameError]:
        for frame, _ in zip(self._source.stream(), range(self._count), strict=False):
            yield frame


def calibrate(recipe: Recipe, name: str, frames: int) -> tuple[Cost, Cost]:
    """Cost of evidence and of masks of one video, from its first frames, on one thread.

    Cost per frame is the slope between a short and a long pass, after one that compiles and warms up.

    Args:
        recipe: the recipe; nothing is written under its ``out``.
        name: the sequence.
        frames: length of the long pass.

    Raises:
        CalibrationError: the stages failed on it; tells why.
    """
    job = {"recipe": absolute_tree(recipe), "sequence": name}
    _in_child({**job, "frames": _FRAMES_TO_COMPILE})  # fills the caches of compilers, once per machine
    evidence, masks = _in_child({**job, "frames": frames})
    return Cost(**evidence), Cost(**masks)


def _in_child(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Costs as a fresh process measures them."""
    with tempfile.TemporaryDirectory(prefix="spotlabel-plan-") as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.running.calibrate"],
            input=json.dumps({**job, "scratch": scratch}), capture_output=True, text=True, cwd=scratch,
            env={**child_environment(), "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or [f"its process ended with code {done.returncode}"])[-1]
        raise CalibrationError(f"{job['sequence']}: nothing could be measured: {said}")
    costs: list[dict[str, Any]] = json.loads(lines[-1])
    return costs


def main() -> int:
    """Run the job on standard input."""
    job = json.loads(sys.stdin.readline())
    cv2.setNumThreads(1)
    try:
        costs = _measure(job)
    except (SpotlabelError, OSError, MemoryError) as error:
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    print(json.dumps([dataclasses.asdict(cost) for cost in costs]))
    return 0


def _measure(job: Mapping[str, Any]) -> list[Cost]:
    long = int(job["frames"])
    short = max(1, long // _SHARE_OF_SHORT_PASS)
    passes = [_pass(job, f"{k}", length) for k, length in enumerate((short, long, short))]
    return [_cost(first, whole, part) for first, whole, part in zip(*passes, strict=True)]


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


def _pass(job: Mapping[str, Any], number: str, length: int) -> list[_Seen]:
    """Both stages over the first frames, into a folder of their own."""
    out = Path(job["scratch"]) / number
    recipe = build_recipe({**job["recipe"], "out": str(out)})
    item, annotations = _head(one_item(recipe, job["sequence"]), length)
    frames = len(item.sequence.frames)

    def silent(_done: int, _total: int) -> None:
        pass

    seen = []
    for stage, path in ((make_evidence, item.evidence_path), (make_masks, item.mask_path)):
        started = time.process_time()
        stage(recipe, item, annotations, silent)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts kibibytes
        seen.append(_Seen(frames, time.process_time() - started, os.path.getsize(path), peak))
    return seen


def _head(item: Item, length: int) -> tuple[Item, Annotations]:
    """The item cut to its first frames, with their annotations."""
    annotations, frames = item.sequence.load(), _Head(item.sequence.frames, length)
    return dataclasses.replace(item, sequence=dataclasses.replace(item.sequence, frames=frames)), _cut(
        annotations, len(frames)
    )


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

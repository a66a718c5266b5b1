"""How many boxes a second a student labels on one core, with cropping and pasting.

    python -m benchmarks.learned.speed [--rounds 20]

Students without training, whose weights do not matter here, on a made-up frame of 960 x 540 px with twelve
boxes of 25 to 140 px. CPU time, the best of some rounds; sizes take turns, so that load hits all alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import click
import cv2
import numpy as np
import numpy.typing as npt
import torch

from spotlabel.detector.teaching.graph import as_onnx
from spotlabel.detector.teaching.network import Student
from spotlabel.labelers.learned.facts import FORMAT, Facts
from spotlabel.labelers.learned.segmenter import Segmenter
from spotlabel.labelers.learned.student import MARGIN

SIZES = (64, 80, 96, 128)
SHAPE, BOXES, SIDES = (540, 960), 12, (25, 140)


def untaught(size: int) -> Segmenter:
    """A student of this size with random weights."""
    torch.manual_seed(0)
    facts = Facts(
        size=size, margin=MARGIN, channels="RGB", scaling="255", mean=(0.5,) * 3, deviation=(0.25,) * 3,
        output="probability", evidence=True,
    )  # fmt: skip
    metadata = {name: json.dumps(value) for name, value in facts.model_dump(mode="json").items()}
    return Segmenter(as_onnx(Student().eval(), size, {"format": FORMAT, **metadata}))


def scene() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """A frame, boxes in it, and another labeler's mask."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (*SHAPE, 3), np.uint8)
    corners = rng.uniform(0, np.array(SHAPE[::-1]) - SIDES[0], (BOXES, 2))
    ends = np.minimum(corners + rng.uniform(*SIDES, (BOXES, 2)), SHAPE[::-1])
    boxes = np.concatenate([corners, ends], axis=1).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 3).astype(np.uint8), boxes, rng.random(SHAPE) > 0.5


def spent(work: Callable[..., object], *args: object) -> float:
    """CPU seconds of a call."""
    started = time.process_time()
    work(*args)
    return time.process_time() - started


@click.command()
@click.option("--rounds", default=20, show_default=True)
def main(rounds: int) -> None:
    """Print boxes a second for each size, and what the network alone would do."""
    cv2.setNumThreads(1)
    image, boxes, evidence = scene()
    students = {size: untaught(size) for size in SIZES}
    whole, alone = dict.fromkeys(SIZES, np.inf), dict.fromkeys(SIZES, np.inf)
    for _ in range(rounds):
        for size, student in students.items():
            crops = np.zeros((len(boxes), 5, size, size), np.float32)
            whole[size] = min(whole[size], spent(student.readings, image, boxes, evidence))
            alone[size] = min(alone[size], spent(student._run, crops))
    click.echo("| student | boxes/s | network alone |\n|---|---|---|")
    for size in SIZES:
        click.echo(f"| {size} px | {len(boxes) / whole[size]:.0f} | {len(boxes) / alone[size]:.0f} |")


if __name__ == "__main__":
    main()

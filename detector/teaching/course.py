"""A student's training, from the first step to the last; it goes on where it was stopped.

On a CPU one thread does it, whatever the machine has: sums would come in another order, and the student would
be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from spotlabel.detector.teaching.losses import DICE, PROJECTION, loss
from spotlabel.detector.teaching.material import CUT_OFF, UNAIDED, Material, shown
from spotlabel.detector.teaching.network import Student
from spotlabel.detector.tensor_file import read, write

_FORMAT = "spotlabel-student-state 1"
WEIGHT_DECAY = 1e-4
WARM_UP = 0.1
"""Share of the steps in which the rate rises; then it falls as a cosine to 0."""


@dataclass(frozen=True)
class Course:
    """How a student is trained.

    Attributes:
        size: side of the crops, px.
        steps: updates of the weights.
        batch: crops an update.
        rate: largest learning rate.
        seed: of the weights and of all that is drawn.
        device: of torch.
        dice: weight of that loss.
        projection: likewise.
        cut_off: share of whole objects that are cut off by an artificial border of the image.
        unaided: share of crops without the other labeler's evidence.
    """

    size: int
    steps: int
    batch: int
    seed: int
    device: str = "cpu"
    rate: float = 4e-3
    dice: float = DICE
    projection: float = PROJECTION
    cut_off: float = CUT_OFF
    unaided: float = UNAIDED


def trained(
    material: Material,
    course: Course,
    *,
    state: Path | None = None,
    mark: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
    every: int = 50,
) -> Student:
    """A student that has learnt what a lesson holds; of one without a weight nothing.

    Args:
        material: the lesson.
        course: how.
        state: where the training's state is kept, every so many steps; one with the same mark is gone on
            from. The caller deletes it.
        mark: what the training depends on.
        progress: told of steps done and in all.
        every: steps between two states.
    """
    with _deterministic():
        torch.manual_seed(course.seed)
        student = Student().to(course.device).train()
        optimiser = torch.optim.AdamW(student.parameters(), course.rate, weight_decay=WEIGHT_DECAY)
        useful = np.flatnonzero(material.weights.any(axis=(1, 2)))
        first = _load(state, mark, student, optimiser) if state else 0
        for step in range(first, course.steps if len(useful) else 0):
            rng = np.random.default_rng([course.seed, step])
            rows = rng.choice(useful, course.batch, replace=len(useful) < course.batch)
            batch = shown(material, rows, course.size, rng, cut_off=course.cut_off, unaided=course.unaided)
            batch = type(batch)(*(getattr(batch, name).to(course.device) for name in vars(batch)))
            for group in optimiser.param_groups:
                group["lr"] = course.rate * _share(step, course.steps)
            optimiser.zero_grad(set_to_none=True)
            cost = loss(student(batch.crops), batch, course.dice, course.projection)
            cost.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            progress(step + 1, course.steps)
            if state and (step + 1) % every == 0 and step + 1 < course.steps:
                _save(state, mark, student, optimiser, step + 1)
    return student.eval().cpu()


def _share(step: int, steps: int) -> float:
    """Of the largest learning rate, at a step."""
    rising = max(1, round(WARM_UP * steps))
    if step < rising:
        return (step + 1) / rising
    return float(0.5 + 0.5 * np.cos(np.pi * (step - rising) / max(1, steps - rising)))


def _save(path: Path, mark: str, student: Student, optimiser: torch.optim.Optimizer, step: int) -> None:
    tensors = {f"student.{name}": value for name, value in student.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in moments.items()}
    write(path, _FORMAT, {"mark": mark, "step": step}, tensors)


def _load(path: Path, mark: str, student: Student, optimiser: torch.optim.Optimizer) -> int:
    """Put a state in; the steps it has done, 0 where there is none that can be used."""
    try:
        facts, tensors = read(path, _FORMAT)
        step = int(facts["step"]) if facts["mark"] == mark else 0
    except (OSError, ValueError, TypeError, KeyError, SafetensorError):
        return 0
    if not step:
        return 0
    parts: dict[str, dict[str, Tensor]] = {"student": {}, "optimiser": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    student.load_state_dict(parts["student"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["optimiser"].items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return step


@contextmanager
def _deterministic() -> Iterator[None]:
    """Inside, torch takes one thread and no operation whose result may differ.

    Whatever was set before is set again afterwards.
    """
    threads, was = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.use_deterministic_algorithms(was)
        torch.set_num_threads(threads)

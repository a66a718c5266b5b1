"""R19: a training stopped at a random step and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.sequence import Sequence
from tests.helpers.training_data import scene, write_exact_masks

_SETTINGS: dict[str, Any] = {
    "preset": "spotnet-multitask", "backbone": "hourglass-tiny", "canvas": (64, 96), "every": 1,
    "every_held_out": 2, "epochs": 3, "batch": 2, "lr": 1e-3, "ema": 0.9, "workers": 0, "pictures": 0,
    "held_out": ("b",),
}  # fmt: skip
_STEPS = 12
_FILES = ("state.safetensors", "best.safetensors", "last.safetensors")


def run(bench: Bench) -> Iterator[Result]:
    """Stop a small training at random steps, up to three times, and let it go on."""
    tally = Tally(
        "R19",
        "training stopped at random steps and resumed",
        f"a small detector over {_STEPS} steps on the CPU, stopped once to three times: losses of every step "
        "and all bytes of state and detectors equal those of a run that was left alone",
        bench.counts.resumes,
    )
    torch.set_num_threads(1)
    draw, folder = bench.draw("resume"), bench.fresh("resume")
    videos = []
    for number, name in enumerate("ab"):
        sequence = scene(name, seed=number, width=96, height=64, frames=8)
        write_exact_masks(sequence, folder / f"{name}.h5")
        videos.append((sequence, folder / f"{name}.h5"))
    _train(videos, folder / "whole", lambda: False)
    for number in range(bench.counts.resumes):
        target = folder / f"run{number}"
        stops = sorted(draw.sample(range(1, _STEPS), draw.randint(1, 3)))
        done = 0
        for step in stops:
            _train(videos, target, _after(step - done))
            done = step
        _train(videos, target, lambda: False)
        problems = [] if _metrics(target) == _metrics(folder / "whole") else ["other losses"]
        problems += [
            f"{name} has other bytes"
            for name in _FILES
            if (target / name).read_bytes() != (folder / "whole" / name).read_bytes()
        ]
        tally.record(f"stopped after {stops}", problems)
    yield tally.result()


def _train(videos: list[tuple[Sequence, Path]], folder: Path, stop: Callable[[], bool]) -> None:
    folder.mkdir(exist_ok=True)
    start(
        Asked(videos, TrainingSettings(**_SETTINGS), folder, False),
        Group(0, 1, torch.device("cpu")),
        stop,
        Watcher(),
    )


def _after(steps: int) -> Callable[[], bool]:
    """Asks to stop after so many steps."""
    asked = iter([False] * (steps - 1))
    return lambda: next(asked, True)


def _metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]

"""Small training runs on rendered streets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.run import Asked
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.sequence import Sequence

ALONE = Group(0, 1, torch.device("cpu"))
SMALL: dict[str, object] = {
    "preset": "spotnet-multitask",
    "backbone": "hourglass-tiny",
    "canvas": (64, 96),
    "every": 1,
    "every_held_out": 2,
    "epochs": 2,
    "batch": 2,
    "lr": 1e-3,
    "ema": 0.9,
    "workers": 0,
    "pictures": 2,
    "held_out": ("b",),
}


def never() -> bool:
    return False


def after(steps: int) -> Callable[[], bool]:
    """Ask to stop after this many steps."""
    asked = iter([False] * (steps - 1))
    return lambda: next(asked, True)


def asked(videos: list[tuple[Sequence, Path]], folder: Path, again: bool = False, **changes: object) -> Asked:
    folder.mkdir(exist_ok=True)
    return Asked(videos, TrainingSettings(**{**SMALL, **changes}), folder, again)  # type: ignore[arg-type]


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]

"""Many runs, several at a time; each finished one is kept, and is not run again under equal settings."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from benchmarks.ablation import train
from benchmarks.ablation.metrics import FIGURES
from benchmarks.ablation.settings import Settings
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import SpotlabelError


@dataclass(frozen=True, order=True)
class Job:
    """One run to make."""

    seed: int
    variant: str

    @property
    def name(self) -> str:
        """Name of its files, without suffix."""
        return f"{self.variant}-{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its record, or why there is none."""

    job: Job
    record: dict[str, Any] | None
    problem: str = ""


def load(folder: Path, job: Job, settings: Settings) -> dict[str, Any] | None:
    """The record of a finished run; None if there is none, it is damaged, or its settings differ."""
    wanted = {"variant": job.variant, "seed": job.seed, "settings": settings.as_data()}
    try:
        record: dict[str, Any] = json.loads((folder / f"{job.name}.json").read_text(encoding="utf-8"))
        if any(record[key] != value for key, value in wanted.items()):
            return None
        if not all(math.isfinite(record["figures"][name]) for name in FIGURES):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record


def run_all(folder: Path, todo: list[Job], settings: Settings, device: str, jobs: int) -> Iterator[Outcome]:
    """Make runs in ``jobs`` processes of one thread each; outcomes as they come.

    One that fails does not stop the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    calls = (joblib.delayed(_make)(folder, job, settings, device) for job in todo)
    yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)


def _make(folder: Path, job: Job, settings: Settings, device: str) -> Outcome:
    torch.set_num_threads(1)
    try:
        result = train.run(job.variant, job.seed, settings, torch.device(device))
    except (SpotlabelError, torch.OutOfMemoryError) as error:
        return Outcome(job, None, str(error).split("\n", maxsplit=1)[0])
    return Outcome(job, save(folder, job, settings, device, result))


def save(folder: Path, job: Job, settings: Settings, device: str, result: train.Run) -> dict[str, Any]:
    """Write the pictures' data, then the record that says the run is whole; returns the record."""
    record: dict[str, Any] = {
        "variant": job.variant,
        "seed": job.seed,
        "settings": settings.as_data(),
        "figures": result.figures,
        "losses": result.losses,
        "parameters": result.parameters,
        "seconds": round(result.seconds, 1),
        "device": torch.device(device).type,
        "torch": str(torch.__version__),
    }
    arrays = io.BytesIO()
    np.savez_compressed(arrays, found=result.found, attention=result.attention)
    write_atomically(folder / f"{job.name}.npz", arrays.getvalue())
    write_atomically(folder / f"{job.name}.json", (json.dumps(record, indent=1) + "\n").encode())
    return record

"""Many runs, several at a time; each finished one is kept, and is not run again under equal settings."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import torch

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import SpotlabelError

TRACE = 20
"""The mean loss is noted this many times in a run, or every step of a shorter one."""


class TrainingError(SpotlabelError):
    """A run whose loss is no number any more."""


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
class Run:
    """Result of one run.

    Attributes:
        figures: what was measured, by name.
        losses: mean total loss of equal parts of the training.
        parameters: number of trainable parameters.
        seconds: wall time of training and of measuring.
        arrays: what pictures are drawn from, by name; kept beside the record.
    """

    figures: dict[str, float]
    losses: list[float]
    parameters: int
    seconds: float
    arrays: Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its record, or why there is none."""

    job: Job
    record: dict[str, Any] | None
    problem: str = ""


Make = Callable[[Job, torch.device], Run]
"""Makes one run; it has to reach another process, so it is a function of a module or a partial of one."""
Records = dict[tuple[str, int], dict[str, Any]]
"""Record of each finished run by variant and seed."""


@dataclass(frozen=True)
class Keeping:
    """Where runs are kept, and what makes a kept one good.

    Attributes:
        folder: of their files.
        settings: of all runs, as plain data.
        figures: names of the figures that each must have, as finite numbers.
    """

    folder: Path
    settings: dict[str, Any]
    figures: Sequence[str]

    def load(self, job: Job) -> dict[str, Any] | None:
        """The record of a finished run; None if there is none, it is damaged, or its settings differ."""
        wanted = {"variant": job.variant, "seed": job.seed, "settings": self.settings}
        try:
            text = (self.folder / f"{job.name}.json").read_text(encoding="utf-8")
            record: dict[str, Any] = json.loads(text)
            if any(record[key] != value for key, value in wanted.items()):
                return None
            if not all(math.isfinite(record["figures"][name]) for name in self.figures):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record

    def finished(self, wanted: Sequence[Job]) -> Records:
        """Records of those jobs that are done."""
        return {(job.variant, job.seed): record for job in wanted if (record := self.load(job)) is not None}

    def save(self, job: Job, device: str, run: Run) -> dict[str, Any]:
        """Write the pictures' data, then the record that says the run is whole; returns the record."""
        record: dict[str, Any] = {
            "variant": job.variant,
            "seed": job.seed,
            "settings": self.settings,
            "figures": run.figures,
            "losses": run.losses,
            "parameters": run.parameters,
            "seconds": round(run.seconds, 1),
            "device": torch.device(device).type,
            "torch": str(torch.__version__),
        }
        arrays = io.BytesIO()
        np.savez_compressed(arrays, allow_pickle=False, **run.arrays)
        write_atomically(self.folder / f"{job.name}.npz", arrays.getvalue())
        write_atomically(self.folder / f"{job.name}.json", (json.dumps(record, indent=1) + "\n").encode())
        return record


def run_all(keeping: Keeping, todo: Sequence[Job], make: Make, device: str, jobs: int) -> Iterator[Outcome]:
    """Make runs in ``jobs`` processes of one thread each; outcomes as they come.

    One that fails does not stop the others.
    """
    keeping.folder.mkdir(parents=True, exist_ok=True)
    calls = (joblib.delayed(_run)(keeping, job, make, device) for job in todo)
    yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)


def _run(keeping: Keeping, job: Job, make: Make, device: str) -> Outcome:
    torch.set_num_threads(1)
    try:
        result = make(job, torch.device(device))
    except (SpotlabelError, torch.OutOfMemoryError) as error:
        return Outcome(job, None, str(error).split("\n", maxsplit=1)[0])
    return Outcome(job, keeping.save(job, device, result))


def in_parts(losses: Sequence[float]) -> list[float]:
    """Means of :data:`TRACE` equal parts of the losses of all steps."""
    return [float(part.mean()) for part in np.array_split(np.array(losses), min(TRACE, len(losses)))]

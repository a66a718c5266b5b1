"""How every video stands: its job, and its stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from spotlabel.pipeline.cluster.queue import ALIVE, Queue, Seen
from spotlabel.pipeline.cluster.records import Record, load_record, told_by
from spotlabel.pipeline.running.polling import poll

_ENDS = {
    "TIMEOUT": "it ran out of time: ask for more with --time",
    "OUT_OF_MEMORY": "it ran out of memory: ask for more with --memory",
    "CANCELLED": "it was cancelled",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node failed",
    "PREEMPTED": "its node was given to another job",
    "DEADLINE": "its deadline passed",
    "FAILED": "its process was killed",
    "COMPLETED": "it ended without a word",
}
_LOST = "the scheduler no longer knows it; killed, or out of time or memory?"


@dataclass(frozen=True)
class Standing:
    """How a video's latest job stands.

    Attributes:
        sequence: the video.
        state: ``none`` (never handed in), ``waiting``, ``running``, ``done``, ``failed``, ``lost`` (ended
            without a result) or ``unknown`` (the scheduler cannot be asked).
        detail: why.
        record: the job; None if there is none.
    """

    sequence: str
    state: str
    detail: str = ""
    record: Record | None = None

    @property
    def alive(self) -> bool:
        """True if the job may still do something."""
        return self.state in ("waiting", "running")


def standings(out: Path, sequences: Iterable[str]) -> list[Standing]:
    """How the jobs of videos stand, by one question to the scheduler.

    Args:
        out: the recipe's output root.
        sequences: the videos.
    """
    records = {sequence: load_record(out, sequence) for sequence in sequences}
    queue = Queue(record for record in records.values() if record)
    return [
        _standing(out, record, queue) if record else Standing(sequence, "none")
        for sequence, record in records.items()
    ]


def _standing(out: Path, record: Record, queue: Queue) -> Standing:
    seen, told = queue.of(record), told_by(out, record)
    if seen is not None and seen.alive:
        return Standing(record.sequence, ALIVE[seen.state], seen.reason, record)
    if told is not None and told.state in ("done", "failed"):
        return Standing(record.sequence, told.state, told.detail, record)
    if queue.problem and record.engine == "slurm":
        return Standing(record.sequence, "unknown", queue.problem, record)
    return Standing(record.sequence, "lost", _end(record, seen), record)


def _end(record: Record, seen: Seen | None) -> str:
    if seen is not None:
        return _ENDS.get(seen.state, f"the scheduler says {seen.state}")
    return _LOST if record.engine == "slurm" else "its process has gone, or is one of another machine"


def await_jobs(
    out: Path, sequences: list[str], seconds: float, tell: Callable[[str], None]
) -> list[Standing]:
    """Wait until no job of these videos waits or runs, or the time is over.

    A job without a result counts as ended when it is found so twice: on a shared disk the result may take a
    moment to show.

    Args:
        out: the recipe's output root.
        sequences: the videos.
        seconds: how long to wait at most.
        tell: given a line of progress now and then.

    Returns:
        How they stand in the end.
    """
    lost = set[str]()

    def ended(jobs: list[Standing]) -> bool:
        nonlocal lost
        before, lost = lost, {job.sequence for job in jobs if job.state == "lost"}
        return lost <= before and not any(job.alive or job.state == "unknown" for job in jobs)

    return poll(lambda: standings(out, sequences), ended, _counts, seconds, tell)


def _counts(jobs: list[Standing]) -> str:
    """``20 jobs: 4 done, 10 running, 6 waiting``."""
    states = [job.state for job in jobs]
    return f"{len(jobs)} jobs: " + ", ".join(f"{states.count(state)} {state}" for state in sorted({*states}))

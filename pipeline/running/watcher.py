"""Who is told how a run goes: what any watcher can be told, one that is silent and one that prints lines."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console

from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.units import clock

_SECONDS_BETWEEN_LINES = 5.0
_UNITS = {"teacher": "boxes", "teaching": "steps", "waiting": "videos"}


def unit_of(stage: str) -> str:
    """What is counted while a stage runs."""
    return _UNITS.get(stage, "frames")


class Watcher(Protocol):
    """Whoever shows progress."""

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """Frames of one stage of one sequence are done."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""

    def finished(self, outcome: Outcome) -> None:
        """A sequence is done or has failed."""


class SilentWatcher:
    """Shows nothing but failures and outcomes that can hardly be meant."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """A silent run shows no progress."""

    def note(self, text: str) -> None:
        """A silent run shows no notes."""

    def finished(self, outcome: Outcome) -> None:
        """One line with the reason, if the sequence failed; one for each finding about its outcome."""
        if outcome.failed:
            self._line(f"{outcome.sequence}: FAILED: {outcome.error}")
        self.doubts(outcome)

    def doubts(self, outcome: Outcome) -> None:
        """A line for everything for which the outcome can hardly be meant."""
        for finding in outcome.findings:
            self._line(f"{outcome.sequence}: WARNING: {finding}")

    def _line(self, text: str) -> None:
        self._console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Pace:
    """Frames done by one stage of one sequence, and since when."""

    started: float = field(default_factory=time.monotonic)
    first: int = 0
    told: float = 0.0

    def rate(self, done: int) -> float:
        """Frames per second since the stage was first heard of."""
        return (done - self.first) / max(1e-9, time.monotonic() - self.started)


class PlainWatcher(SilentWatcher):
    """One line per sequence and stage every few seconds: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._lock = threading.Lock()
        self._pace: dict[tuple[str, str], _Pace] = {}

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """A line with frames done, frames per second and the time left, at most every few seconds."""
        with self._lock:
            now = time.monotonic()
            pace = self._pace.setdefault((sequence, stage), _Pace(first=done))
            if now - max(pace.told, pace.started) < _SECONDS_BETWEEN_LINES:
                return
            pace.told = now
            rate = pace.rate(done)
            left = (total - done) / rate if rate else 0.0
            unit = unit_of(stage)
            self._line(f"{sequence}: {stage} {done}/{total} {unit}, {rate:.1f} {unit}/s, {clock(left)} left")

    def note(self, text: str) -> None:
        """The text on a line of its own."""
        self._line(text)

    def finished(self, outcome: Outcome) -> None:
        """A line with the seconds of each stage, or why the sequence failed."""
        super().finished(outcome)
        if not outcome.failed:
            spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in outcome.seconds.items())
            self._line(f"{outcome.sequence}: done ({spent or 'another run was quicker'})")

"""Progress on the terminal: bars where there is one, plain lines every few seconds where there is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.units import clock

_SECONDS_BETWEEN_LINES = 5.0


class SilentWatcher:
    """Shows nothing but failures."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """Nothing is shown."""

    def note(self, text: str) -> None:
        """Nothing is shown."""

    def finished(self, outcome: Outcome) -> None:
        """Show why a sequence failed."""
        if outcome.failed:
            self._console.print(
                f"{outcome.sequence}: FAILED: {outcome.error}", markup=False, highlight=False, soft_wrap=True
            )


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

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """Tell frames, frames per second and the time left, at most every few seconds."""
        with self._lock:
            now = time.monotonic()
            pace = self._pace.setdefault((sequence, stage), _Pace(first=done))
            if now - max(pace.told, pace.started) < _SECONDS_BETWEEN_LINES:
                return
            pace.told = now
            rate = pace.rate(done)
            left = (total - done) / rate if rate else 0.0
            self._line(f"{sequence}: {stage} {done}/{total} frames, {rate:.1f} frames/s, {clock(left)} left")

    def note(self, text: str) -> None:
        """Tell it."""
        self._line(text)

    def finished(self, outcome: Outcome) -> None:
        """Tell what was made, or why it failed."""
        super().finished(outcome)
        if not outcome.failed:
            spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in outcome.seconds.items())
            self._line(f"{outcome.sequence}: done ({spent or 'another run was quicker'})")


class BarWatcher(PlainWatcher):
    """A bar per running stage and one for all videos."""

    def __init__(self, console: Console, videos: int) -> None:
        super().__init__(console)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._all = self._bars.add_task("videos", total=videos, unit="videos")
        self._tasks: dict[str, tuple[str, TaskID]] = {}

    def __enter__(self) -> BarWatcher:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """Move the sequence's bar."""
        with self._lock:
            known = self._tasks.get(sequence)
            if known is None or known[0] != stage:
                if known is not None:
                    self._bars.remove_task(known[1])
                known = (stage, self._bars.add_task(f"{sequence} {stage}", total=total))
                self._tasks[sequence] = known
            self._bars.update(known[1], completed=done)

    def finished(self, outcome: Outcome) -> None:
        """Take the sequence's bar away and count the video."""
        super().finished(outcome)
        with self._lock:
            known = self._tasks.pop(outcome.sequence, None)
            if known is not None:
                self._bars.remove_task(known[1])
            self._bars.advance(self._all)


class _RateColumn(ProgressColumn):
    """Speed in frames (or videos) per second."""

    def render(self, task: Task) -> Text:
        """Text of the column."""
        speed = task.finished_speed or task.speed
        if speed is None or task.fields.get("unit") == "videos":
            return Text("")
        return Text(f"{speed:.1f} frames/s")


@contextmanager
def watching(console: Console, videos: int, quiet: bool) -> Iterator[SilentWatcher]:
    """The watcher that suits the console: silent, plain lines, or bars."""
    if quiet:
        yield SilentWatcher(console)
    elif not console.is_terminal:
        yield PlainWatcher(console)
    else:
        with BarWatcher(console, videos) as watcher:
            yield watcher

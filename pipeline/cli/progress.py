"""Progress bars on a terminal; plain lines every few seconds where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
from spotlabel.pipeline.running.watcher import PlainWatcher, SilentWatcher, unit_of
from spotlabel.pipeline.terminal import escape


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
                known = (
                    stage,
                    self._bars.add_task(escape(f"{sequence} {stage}"), total=total, unit=unit_of(stage)),
                )
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
    """Speed in what the stage counts, frames of most, per second."""

    def render(self, task: Task) -> Text:
        """So many per second; empty for the bar of all videos, and before anything is known."""
        speed = task.finished_speed or task.speed
        if speed is None or task.fields.get("unit") == "videos":
            return Text("")
        return Text(f"{speed:.1f} {task.fields.get('unit', 'frames')}/s")


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

"""Training on the terminal: a bar where there is one, plain lines every few seconds where there is not."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spotlabel.detector.training.context import Watcher
from spotlabel.pipeline.cli.options import table
from spotlabel.pipeline.text import one_line

_SECONDS_BETWEEN_LINES = 5.0
_NO_LOSSES = ("gradient", "images_per_second", "loader_share")


class TrainingWatcher(Watcher):
    """Tells how a run goes.

    Args:
        console: where to.
        quiet: tell nothing.
    """

    def __init__(self, console: Console, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._told = 0.0
        self._bar: Progress | None = None

    def note(self, text: str) -> None:
        """Tell something worth a line."""
        if not self._quiet:
            (self._bar.console if self._bar else self._console).print(
                one_line(text), markup=False, soft_wrap=True
            )

    def step(self, epoch: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Move the bar, or tell a line."""
        names = ["total", *(name for name in losses if name != "total" and name not in _NO_LOSSES)]
        terms = "  ".join(f"{name} {losses[name]:.3f}" for name in names)
        pace = f"{losses['images_per_second']:.1f} images/s ({losses['loader_share']:.0%} waiting for data)"
        if self._quiet:
            return
        if self._console.is_terminal:
            self._move(f"epoch {epoch}  {terms}  {pace}", done, total)
        elif time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.note(f"epoch {epoch}: step {done} of {total}  {terms}  {pace}")

    def _move(self, text: str, done: int, total: int) -> None:
        if self._bar is None:
            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Progress(*columns, console=self._console)
            self._bar.start()
            self._bar.add_task("", total=total)
        self._bar.update(self._bar.task_ids[0], completed=done, description=text)

    def validated(self, epoch: int, figures: Mapping[str, float], best: bool) -> None:
        """Tell the figures of an epoch."""
        name = f"after epoch {epoch}" if epoch else "untrained"
        self.note(f"{name}: {_shown(figures)}" + ("  (best so far: kept)" if best else ""))

    def close(self) -> None:
        """End the bar, so that what is printed next starts on a line of its own."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def summary(self, folder: Path, out: Console) -> None:
        """The untrained network beside the best and the last one, as a table."""
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        epochs = [line for line in lines if line["kind"] == "held_out"]
        best = max(epochs[1:], key=lambda line: float(line["ap70"]), default=epochs[-1])
        figures = {key: label for line in epochs for key, label in _labels(line).items()}
        columns = ("network", "epoch", *figures.values())
        shown = table(*columns, numbers=columns[1:])
        for name, line in (("untrained", epochs[0]), ("best (kept)", best), ("last", epochs[-1])):
            cells = [f"{100 * line[key]:.1f}" if key in line else "-" for key in figures]
            shown.add_row(name, str(line["epoch"]), *cells)
        out.print(shown)
        out.print(one_line(f"detector: {folder / 'best.safetensors'}"), markup=False, soft_wrap=True)
        if (folder / "pictures").is_dir():
            out.print(one_line(f"pictures: {folder / 'pictures'}"), markup=False, soft_wrap=True)


def _shown(figures: Mapping[str, float]) -> str:
    return "  ".join(f"{label} {100 * figures[name]:.1f}" for name, label in _labels(figures).items())


def _labels(figures: Mapping[str, object]) -> dict[str, str]:
    """What the shares among a validation's figures are called, by their keys."""
    overlaps = {f"ap{digits}": f"AP@0.{digits[0]}" for digits in ("50", "70") if f"ap{digits}" in figures}
    return overlaps | {key: f"{key.removesuffix('_iou')} IoU" for key in figures if key.endswith("_iou")}

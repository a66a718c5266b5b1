"""What a run tells of its progress."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from spotlabel.pipeline.cli.progress import BarWatcher
from spotlabel.pipeline.running import watcher as watchers
from spotlabel.pipeline.running.watcher import PlainWatcher

UNITS = [("evidence", "frames"), ("masks", "frames"), ("teacher", "boxes"), ("teaching", "steps")]


@pytest.mark.parametrize(("stage", "unit"), UNITS)
def test_progress_is_told_in_what_the_stage_counts(monkeypatch, stage, unit):
    monkeypatch.setattr(watchers, "_SECONDS_BETWEEN_LINES", -1.0)
    out = io.StringIO()
    PlainWatcher(Console(file=out, width=200)).progress("a", stage, 3, 9)
    assert f"a: {stage} 3/9 {unit}, " in out.getvalue()
    assert f" {unit}/s, " in out.getvalue()


@pytest.mark.parametrize(("stage", "unit"), UNITS)
def test_a_bar_tells_speed_in_what_the_stage_counts(stage, unit):
    watcher = BarWatcher(Console(file=io.StringIO(), width=200, force_terminal=True), 1)
    for done in (1, 2, 3):
        watcher.progress("a", stage, done, 3)
    shown = Console(file=io.StringIO(), width=200, record=True)
    shown.print(watcher._bars.make_tasks_table(watcher._bars.tasks))
    assert f" {unit}/s" in shown.export_text()

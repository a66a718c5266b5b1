"""R10: the number of jobs and the order of the videos."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from rich.console import Console

from benchmarks.campaign.bench import Bench, differences
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.local import run_all
from spotlabel.pipeline.running.watcher import SilentWatcher

_JOBS = (1, 2, 8)


def run(bench: Bench) -> Iterator[Result]:
    """Shuffled orders with 1, 2 and 8 videos at a time."""
    whole, draw = bench.whole(4), bench.draw("orders")
    tally = Tally(
        "R10",
        "videos in another order, 1, 2 or 8 at a time",
        f"{len(whole.names)} videos in shuffled orders, 1, 2 and 8 at a time: all bytes equal "
        "to those of 2 jobs in order",
        bench.counts.orders * len(_JOBS),
    )
    for jobs in _JOBS:
        for number in range(bench.counts.orders):
            names = list(whole.names)
            draw.shuffle(names)
            out = bench.fresh("orders") / "out"
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                recipe = build_recipe({**whole.tree, "out": str(out)})
                outcomes = run_all(recipe, names, jobs, False, SilentWatcher(Console(file=said)))
            problems = [f"{o.sequence}: {o.error}" for o in outcomes if o.failed]
            tally.record(f"{jobs} jobs, order {number + 1}", problems + differences(out, whole.stores))
    yield tally.result()

"""``spotlabel jobs`` and ``spotlabel log``: how submitted videos stand, and what one of them printed."""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path

import click

from spotlabel.pipeline.cli.options import console, recipe_argument, recipe_options, table
from spotlabel.pipeline.cluster.records import load_record
from spotlabel.pipeline.cluster.resources import clock, size
from spotlabel.pipeline.cluster.states import Standing, standings
from spotlabel.pipeline.errors import RecipeError, SpotlabelError
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_items
from spotlabel.pipeline.validation import nearest

_COLUMNS = ("sequence", "job", "state", "memory", "time", "evidence", "masks", "why")


@click.command()
@recipe_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON on standard output.")
def jobs(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], as_json: bool) -> None:
    """Say how submitted jobs stand, beside what is made already.

    \b
    State is of the latest job of a video:
      none     it was never handed in        done     it ended well
      waiting  in the queue (why: Slurm's)   failed   it ended with the error shown
      running                                lost     it ended without a word: killed, time, memory
    Evidence and masks are what the files say, whoever made them. Exit code 0 if all videos are up to date.

    \b
    Examples:
      spotlabel jobs ua-detrac --set data=/data/UA-DETRAC
      spotlabel jobs my-cameras.yaml --only gate-3 --json
    """
    loaded = load_recipe(recipe, overrides)
    plans = plan_items(loaded, items(loaded, only))
    latest = standings(loaded.out, [plan.item.sequence.name for plan in plans])
    rows = [_row(plan, standing) for plan, standing in zip(plans, latest, strict=True)]
    if as_json:
        echo_lines(json.dumps(rows, indent=1))
    else:
        shown = table(*_COLUMNS, numbers=("memory", "time"))
        for row in rows:
            shown.add_row(*(escape(row[column]) for column in _COLUMNS))
        console(sys.stdout).print(shown)
        states = [standing.state for standing in latest]
        counts = ", ".join(f"{states.count(state)} {state}" for state in sorted({*states}))
        echo(f"{sum(plan.idle for plan in plans)} of {len(plans)} videos up to date; jobs: {counts}")
    sys.exit(0 if all(plan.idle for plan in plans) else 1)


def _row(plan: Plan, standing: Standing) -> dict[str, str]:
    record = standing.record
    return {
        "sequence": plan.item.sequence.name,
        "job": f"{record.engine} {record.job}" if record else "",
        "state": standing.state,
        "memory": size(record.megabytes) if record else "",
        "time": clock(record.minutes) if record else "",
        "evidence": "UNUSABLE" if plan.problem else str(plan.evidence.state),
        "masks": "" if plan.problem else str(plan.masks.state),
        "why": standing.detail or plan.problem,
    }


@click.command()
@recipe_argument
@click.argument("video", metavar="VIDEO")
@click.option("--lines", default=40, show_default=True, type=click.IntRange(min=1), help="How many.")
def log(recipe: str, overrides: tuple[str, ...], video: str, lines: int) -> None:
    """Print the end of what a video's job, and the libraries in it, printed.

    \b
    Example:
      spotlabel log my-cameras.yaml gate-3 --lines 100
    """
    loaded = load_recipe(recipe, overrides)
    names = [sequence.name for sequence in loaded.sequences()]
    if video not in names:
        raise RecipeError(f"{video}: no such video in this recipe; {nearest(video, names)}")
    record, printed = load_record(loaded.out, video), False
    sources = [loaded.out / "logs" / f"{file_stem(video)}.log"]
    if record is not None:
        sources = [record.log(loaded.out, "out"), record.log(loaded.out, "err"), *sources]
        echo(f"{video}: {record.engine} job {record.job}, {standings(loaded.out, [video])[0].state}")
    for path in sources:
        printed |= _print_end(path, lines)
    if not printed:
        raise SpotlabelError(f"{video}: nothing was printed yet; looked for {', '.join(map(str, sources))}")


def _print_end(path: Path, lines: int) -> bool:
    """Print a file's last lines under its name; false if there are none."""
    try:
        with path.open(errors="replace") as file:
            last = deque(file, maxlen=lines)
    except FileNotFoundError:
        return False
    if last:
        echo(f"--- {path}")
        echo_lines("".join(last).rstrip("\n"))
    return bool(last)

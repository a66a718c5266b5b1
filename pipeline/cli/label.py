"""``spotlabel label`` and ``spotlabel relabel``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import click
import yaml

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.cli.backend import backend_options, check_backend, run_videos
from spotlabel.pipeline.cli.gather import check_wait, gather, wait_option
from spotlabel.pipeline.cli.options import console, recipe_options, shard_option, table
from spotlabel.pipeline.cli.plans import plan_row, plan_table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.cli.teaching import ahead_of, rows, totals
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.labelling import up_to_date
from spotlabel.pipeline.running.local import check_writable
from spotlabel.pipeline.running.order import longest_first
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.text import failures
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.groups import looked_at_once
from spotlabel.pipeline.upkeep.notes import notes
from spotlabel.pipeline.upkeep.plan import Item, Plan, items, plan_item
from spotlabel.pipeline.upkeep.shards import Shard, share_of

_SECONDS_BETWEEN_LINES = 2.0


def _run_options(command: Any) -> Any:
    for option in (
        click.option("--quiet", is_flag=True, help="Tell failures and doubts only."),
        click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on standard output."),
        click.option("--dry-run", is_flag=True,
                     help="Say what would be done, with all settings; hours and memory: `spotlabel plan`."),
        click.option("--strict", is_flag=True,
                     help="A video whose outcome can hardly be meant has failed; what was made of it stays."),
        click.option("--jobs", "-j", type=click.IntRange(min=1), default=None,
                     help="Videos at a time; default: one per processor."),
    ):  # fmt: skip
        command = option(command)
    return recipe_options(shard_option(backend_options(command)))


@dataclass(frozen=True)
class RunOptions:
    """What the command line says of a run beside the recipe.

    Attributes:
        jobs: videos at a time; None for one per processor.
        dry_run: only say what would be done.
        as_json: print the outcome as JSON.
        quiet: tell failures only.
        shard: share of the videos; None for all.
        backend: ``local`` or ``dask``.
        scheduler: of the Dask cluster; None without one.
        wait: seconds to wait for other shards at the end; None not to wait.
        masks_only: run no labeler.
        strict: what can hardly be meant is a failure.
    """

    jobs: int | None
    dry_run: bool
    as_json: bool
    quiet: bool
    shard: Shard | None
    backend: str
    scheduler: str | None
    wait: float | None = None
    masks_only: bool = False
    strict: bool = False


@click.command()
@_run_options
@wait_option("When done, wait until all videos of RECIPE (or of --only) are up to date, in whatever shard")
def label(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], **options: Any) -> None:
    """Make evidence and masks for every video of a dataset.

    What is up to date is left alone; what is missing, damaged or made with other settings is made again.
    Safe to stop at any moment: run the same command again to go on.

    RECIPE is a YAML file, or the name of a bundled one (ua-detrac, uavdt, cdnet, davis, demo).

    \b
    Examples:
      spotlabel label workflows/ua-detrac.yaml --set data=/data/UA-DETRAC --jobs 8
      spotlabel label my-cameras.yaml --only gate-3 --dry-run
      spotlabel label my-cameras.yaml --shard 2/4             # the second of four hosts
      spotlabel label my-cameras.yaml --shard 4/4 --wait 7200 # the last one sees to the end
      spotlabel label my-cameras.yaml --backend dask --scheduler tcp://head:8786
    """
    _run(load_recipe(recipe, overrides), only, RunOptions(**options))


@click.command()
@_run_options
def relabel(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], **options: Any) -> None:
    """Make the masks again from cached evidence, e.g. with another threshold. Runs no labeler.

    \b
    Examples:
      spotlabel relabel workflows/uavdt.yaml --set masks.min_fill=0.3
      spotlabel relabel workflows/ua-detrac.yaml --set masks.preset=paper --only MVI_40201
    """
    _run(load_recipe(recipe, overrides), only, RunOptions(**options, masks_only=True))


def _run(recipe: Recipe, only: tuple[str, ...], options: RunOptions) -> None:
    """Plan, run what is not idle, tell the outcome, set the exit code."""
    check_backend(options.backend, options.scheduler, options.jobs)
    check_wait(options.wait, options.dry_run)
    videos = items(recipe, only)
    if not options.dry_run:
        check_writable(recipe.out)  # before anything is remembered there of any video
    plans = _plan(recipe, share_of(videos, options.shard), options)
    if options.shard and not plans and not options.quiet:
        echo(f"shard {options.shard} is empty: there are only {len(videos)} videos", err=True)
    for line in notes(recipe, videos):
        echo(f"note: {line}", err=True)
    if options.dry_run:
        teaching = _tell_plan(recipe, plans, options)
        sys.exit(1 if any(plan.problem for plan in plans) or any("problem" in row for row in teaching) else 0)
    outcomes = _bring_up_to_date(recipe, plans, options)
    if options.as_json:
        echo_lines(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
    elif outcomes and not options.quiet:
        _tell(outcomes, recipe)
    _exit_if_failed(outcomes, options)
    if options.wait is not None:
        gather(recipe, videos, options.wait, options.quiet)


def _bring_up_to_date(recipe: Recipe, plans: list[Plan], options: RunOptions) -> list[Outcome]:
    """Run what is not idle; one outcome per plan, in their order."""
    clear_partials(recipe.out)
    idle = up_to_date(recipe, plans)
    names = longest_first(plan.item for plan in plans if plan.item.sequence.name not in idle)
    where = (options.scheduler, options.jobs)
    with watching(console(), len(names), options.quiet) as watcher:
        for line in [] if options.scheduler else _notices(plans):
            watcher.note(line)
        ran = {o.sequence: o for o in run_videos(recipe, names, where, options.masks_only, watcher)}
        for outcome in idle.values():
            watcher.doubts(outcome)
    outcomes = [{**ran, **idle}[plan.item.sequence.name] for plan in plans]
    for outcome in outcomes if options.strict else []:
        outcome.fail_if_doubtful()
    return outcomes


def _notices(plans: list[Plan]) -> list[str]:
    """What labelers that are about to run here want to be known before, each once."""
    labelers = {
        plan.item.labeler for plan in plans if not plan.problem and plan.evidence.state != State.FRESH
    }
    notices = (getattr(labeler, "notice", None) for labeler in labelers)
    return sorted({line for notice in notices if notice is not None and (line := notice())})


def _exit_if_failed(outcomes: list[Outcome], options: RunOptions) -> None:
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        unwaited = "; not waiting for other shards" if options.wait is not None else ""
        echo(f"{failures(len(failed), len(outcomes))}{unwaited}", err=True)
        sys.exit(1)


@looked_at_once()
def _plan(recipe: Recipe, videos: list[Item], options: RunOptions) -> list[Plan]:
    plans: list[Plan] = []
    told = time.monotonic()
    for item in videos:
        plans.append(plan_item(recipe, item, options.masks_only))
        if time.monotonic() - told > _SECONDS_BETWEEN_LINES and not options.quiet:
            told = time.monotonic()
            echo(f"compared {len(plans)} of {len(videos)} videos with what is made", err=True)
    return plans


def _tell_plan(recipe: Recipe, plans: list[Plan], options: RunOptions) -> list[dict[str, Any]]:
    """Tell what would be done; what would be taught is given back."""
    teaching = [] if options.masks_only else rows(recipe, ahead_of(recipe, plans))
    if options.as_json:
        told = {"settings": recipe.effective(), "plan": [plan_row(plan) for plan in plans]}
        echo_lines(json.dumps(told | ({"teaching": teaching} if teaching else {}), indent=1))
        return teaching
    echo_lines(yaml.safe_dump(recipe.effective(), sort_keys=False))
    console(sys.stdout).print(plan_table(plans))
    for line in totals(teaching):
        echo(line)
    return teaching


def _tell(outcomes: list[Outcome], recipe: Recipe) -> None:
    """A line if nothing was to do, else a table; then what deserves a second look."""
    if all(o.evidence == o.masks == "fresh" for o in outcomes):
        echo(f"nothing to do: {len(outcomes)} of {len(outcomes)} videos are up to date in {recipe.out}")
        for outcome in outcomes:
            for line in outcome.remarks:
                echo(f"{outcome.sequence}: {line}")
        return
    shown = table(
        "sequence", "labeler", "frames", "boxes", "evidence", "masks", "frames/s",
        numbers=("frames", "boxes", "frames/s"),
    )  # fmt: skip
    for outcome in outcomes:
        spent = sum(outcome.seconds.values())
        shown.add_row(
            escape(outcome.sequence), outcome.labeler, str(outcome.frames), str(outcome.boxes),
            outcome.evidence, outcome.masks, f"{outcome.frames / spent:.1f}" if spent else "",
        )  # fmt: skip
    console(sys.stdout).print(shown)
    for outcome in outcomes:
        for line in _remarks(outcome):
            echo(f"{outcome.sequence}: {line}")
    echo(f"masks: {recipe.out / 'masks'}")


def _remarks(outcome: Outcome) -> list[str]:
    lines = [*(f"WARNING: {line}" for line in outcome.findings), *outcome.remarks]
    if outcome.clipped or outcome.dropped:
        lines.append(f"{outcome.clipped} boxes cut at the image border, {outcome.dropped} left out")
    if outcome.bad_frames:
        first = outcome.bad_frames[0]
        lines.append(f"{len(outcome.bad_frames)} unreadable frames, their masks are unknown; first: {first}")
    if outcome.log and not outcome.failed:
        lines.append(f"libraries printed something, see {outcome.log}")
    return lines

"""``spotlabel plan``: how long will it take, how much will it fill."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from spotlabel.labelers.base import is_taught
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.cli.teaching import rows, totals
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.forecast.costs import BASE_MEGABYTES, MASKS, TIMES, Rate, evidence_rate
from spotlabel.pipeline.forecast.estimate import Cost, Costs, Estimate, Kind, Work, estimate, work_of
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.calibrate import calibrate
from spotlabel.pipeline.running.local import usable_cores
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.stages.students_ahead import students_ahead
from spotlabel.pipeline.terminal import echo, echo_lines
from spotlabel.pipeline.units import byte_size, clock
from spotlabel.pipeline.upkeep.groups import looked_at_once
from spotlabel.pipeline.upkeep.plan import items, plan_item

_FRAMES_TO_MEASURE = 40


@click.command()
@recipe_options
@click.option(
    "--cores",
    type=click.IntRange(min=1),
    help="Videos at a time, one core each; default: the processors of this machine.",
)
@click.option(
    "--memory-per-core",
    type=click.FloatRange(min=0.1),
    metavar="GB",
    help="If too little for a video on every core, fewer run at a time.",
)
@click.option(
    "--calibrate",
    "measured",
    is_flag=True,
    help="Measure on a few frames of your videos; without it, from a table of worst cases.",
)
@click.option(
    "--frames",
    type=click.IntRange(8, 1000),
    show_default=str(_FRAMES_TO_MEASURE),
    help="With --calibrate: how many frames to measure on, for each labeler and image size; a labeler that "
    "keeps frames (boxbg) sees as many more as it keeps.",
)
@click.option("--all", "everything", is_flag=True, help="Count what is up to date as well.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON on standard output.")  # fmt: skip
def plan(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], **options: Any) -> None:
    """Forecast a `spotlabel label` run: hours, memory, bytes, files. Writes nothing under `out`.

    `spotlabel label --dry-run` tells something else: what would be made and why, and all settings.

    Videos of one labeler and image size are taken to cost the same per frame. Cores are those of the machine
    that measures; leave some room, for disks are shared and cores are not equally fast.

    Exit code 1 if a video cannot be used; what is left out is told.

    \b
    Examples:
      spotlabel plan ua-detrac --set data=/data/UA-DETRAC --cores 64
      spotlabel plan my-cameras.yaml --cores 16 --memory-per-core 2 --calibrate
      spotlabel plan my-cameras.yaml --cores 200 --calibrate --all --json
    """
    if options["frames"] and not options["measured"]:
        raise click.UsageError(
            "--frames is how many frames --calibrate measures on; without it nothing is measured"
        )
    cores = options["cores"] or usable_cores()
    loaded = load_recipe(recipe, overrides)
    works, unusable, teaching = _works(loaded, only, options["everything"])
    if options["measured"]:  # on few frames, teaching among it
        works = [work if work.once == 0 else replace(work, once=None) for work in works]
    costs = _costs(loaded, works, (options["frames"] or _FRAMES_TO_MEASURE) if options["measured"] else 0)
    memory = options["memory_per_core"] and options["memory_per_core"] * 1e9
    whole = estimate(works, costs, cores, memory)
    parts = {kind: estimate([w for w in works if w.kind == kind], costs, 1) for kind in costs}
    if options["as_json"]:
        echo_lines(json.dumps(_as_data(whole, parts, costs, unusable), indent=1))
    else:
        _tell(whole, parts, costs, unusable)
        _tell_wall(whole, cores, bool(options["measured"]))
        for line in totals(teaching):
            echo(line)
    if unusable:
        sys.exit(1)
    if works and not whole.at_once:
        raise SpotlabelError(
            f"a video needs {whole.peak / 1e9:.1f} GB and all cores together have {memory / 1e9:g} GB each; "
            "more memory, or another labeler"
        )


@looked_at_once()
def _works(
    recipe: Recipe, only: tuple[str, ...], everything: bool
) -> tuple[list[Work], list[str], list[dict[str, Any]]]:
    """What is to be done, a line for every video that cannot be used, and what is to be taught."""
    works, unusable = [], []
    teachings: dict[Path, list[dict[str, Any]]] = {}
    for item in items(recipe, only):
        made = plan_item(recipe, item, remember=False)
        try:
            work = work_of(made, everything)
        except (SpotlabelError, OSError) as error:
            unusable.append(f"{item.sequence.name}: {error}")
            continue
        if made.problem:
            unusable.append(f"{item.sequence.name}: {made.problem}")
            continue
        if not work.evidence and not work.masks:
            continue
        if is_taught(item.labeler) and work.evidence:
            work = replace(work, once=0.0)
            first = item.student_path not in teachings  # to it falls the teaching
            if first:
                teachings[item.student_path] = rows(recipe, students_ahead(recipe, [item]))
            found = teachings[item.student_path]
            if problems := [row["problem"] for row in found if "problem" in row]:
                unusable.append(f"{item.sequence.name}: {problems[0]}")
                continue
            if first and (found or everything):
                work = replace(work, once=TIMES * sum(row["seconds"] for row in found) if found else None)
        works.append(work)
    return works, unusable, [one for some in teachings.values() for one in some if "problem" not in one]


def _costs(recipe: Recipe, works: list[Work], frames: int) -> Costs:
    """Cost of every kind of video that occurs: measured on its longest one, or from the table."""
    longest: dict[Kind, Work] = {}
    for work in works:
        if work.kind not in longest or work.frames > longest[work.kind].frames:
            longest[work.kind] = work
    if not frames:
        return {kind: _from_table(recipe, kind) for kind in longest}
    costs = {}
    for kind, work in longest.items():
        echo(f"measuring {kind.labeler} at {kind.width}x{kind.height} on {work.name}", err=True)
        costs[kind] = calibrate(recipe, work.name, frames)
    return costs


def _from_table(recipe: Recipe, kind: Kind) -> tuple[Cost, Cost]:
    def cost(rate: Rate) -> Cost:
        peak = (BASE_MEGABYTES + rate.beside + rate.megabytes * kind.megapixels) * 1e6
        return Cost(rate.per_frame(kind.megapixels), rate.once, math.nan, round(peak))

    _, settings = recipe.labeler_for(Camera(kind.camera))
    return cost(evidence_rate(kind.labeler, settings)), cost(MASKS)


def _tell(whole: Estimate, parts: dict[Kind, Estimate], costs: Costs, unusable: list[str]) -> None:
    columns = ("videos", "frames", "ms/frame", "CPU hours", "memory", "evidence", "masks", "files")
    shown = table("labeler", "camera", "size", *columns, numbers=columns)
    for kind, part in parts.items():
        pace = 1e3 * sum(cost.seconds for cost in costs[kind])
        size = f"{kind.width}x{kind.height}"
        shown.add_row(kind.labeler, kind.camera, size, *_row(part, f"{pace:.0f}"))
    if len(parts) > 1:
        shown.add_row("all", "", "", *_row(whole, ""))
    if parts:
        console(sys.stdout).print(shown)
    for line in unusable:
        echo(f"left out: {line}")
    if not parts:
        echo("nothing to do")


def _row(part: Estimate, pace: str) -> list[str]:
    numbers = [f"{part.videos:,}", f"{part.frames:,}", pace, f"{part.cpu / 3600:.2f}", byte_size(part.peak)]
    return [*numbers, byte_size(part.evidence_bytes), byte_size(part.mask_bytes), f"{part.files:,}"]


def _tell_wall(whole: Estimate, cores: int, measured: bool) -> None:
    if not whole.videos or not whole.at_once:
        return
    limit = f" ({whole.at_once} at a time: memory)" if whole.at_once < cores else ""
    echo(f"on {cores} cores{limit}, longest video first: {clock(whole.wall)}")
    echo(f"no less on any number of cores: {clock(whole.longest)} for {whole.longest_name}")
    if not measured:
        echo("from a table of worst cases, about three times too slow; --calibrate measures yours")


def _as_data(
    whole: Estimate, parts: dict[Kind, Estimate], costs: Costs, unusable: list[str]
) -> dict[str, Any]:
    """All figures in seconds and bytes; null for what is not known."""

    def plain(value: Any) -> dict[str, Any]:
        fields = dataclasses.asdict(value)
        unknown = [k for k, v in fields.items() if isinstance(v, float) and not math.isfinite(v)]
        return {**fields, **dict.fromkeys(unknown)}

    kinds = [
        {
            **plain(kind),
            "estimate": plain(part),
            "evidence": plain(costs[kind][0]),
            "masks": plain(costs[kind][1]),
        }
        for kind, part in parts.items()
    ]
    return {"all": plain(whole), "kinds": kinds, "left_out": unusable}

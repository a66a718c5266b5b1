"""``spotlabel teach``: the students of a recipe's videos alone."""

from __future__ import annotations

import sys

import click

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.names import student_path
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import check_writable, teach_all, usable_cores
from spotlabel.pipeline.running.order import longest_first
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.upkeep.plan import items


@click.command()
@recipe_options
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=None,
              help="Videos at a time; default: one per processor.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Tell failures only.")
def teach(
    recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], *, jobs: int | None, quiet: bool
) -> None:
    """Teach the small network of each video that preset `learned` labels with.

    `spotlabel label` does it by itself; this is for looking at it, and for one student that labels others.
    A student is taught again if frames, boxes, the teacher, settings or versions are others. What the
    teacher has said is kept. Safe to stop at any moment: run the same command again to go on.

    \b
    Examples:
      spotlabel teach my-cameras.yaml --set preset=learned
      spotlabel teach my-cameras.yaml --set preset=learned --only gate-3
      spotlabel teach fixed.yaml --set labeler=boxbg-student --set evidence.boxbg-student.teaching.boxes=300
    """
    loaded = load_recipe(recipe, overrides)
    videos = items(loaded, only)
    check_writable(loaded.out)
    clear_partials(loaded.out)
    names = longest_first(videos)
    with watching(console(), len(names), quiet) as watcher:
        ran = {o.sequence: o for o in teach_all(loaded, names, jobs or usable_cores(), watcher)}
    outcomes = [ran[item.sequence.name] for item in videos]
    if not quiet:
        _tell(outcomes)
        for item in videos:
            if not ran[item.sequence.name].failed:
                echo(f"student: {student_path(item.out, item.labeler.name, item.sequence.name)}")
    if failed := sum(outcome.failed for outcome in outcomes):
        echo(f"{failed} of {len(outcomes)} videos failed; the others are whole", err=True)
        sys.exit(1)


def _tell(outcomes: list[Outcome]) -> None:
    shown = table("sequence", "labeler", "boxes", "student", "seconds", numbers=("boxes", "seconds"))
    for outcome in outcomes:
        spent = sum(outcome.seconds.values())
        shown.add_row(
            escape(outcome.sequence), outcome.labeler, str(outcome.boxes), outcome.evidence,
            f"{spent:.1f}" if spent else "",
        )  # fmt: skip
    console(sys.stdout).print(shown)
    for outcome in outcomes:
        for line in [*(f"WARNING: {line}" for line in outcome.findings), *outcome.remarks]:
            echo(f"{outcome.sequence}: {line}")

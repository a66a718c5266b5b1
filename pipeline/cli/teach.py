"""``spotlabel teach``: the students of a recipe's videos alone."""

from __future__ import annotations

import sys

import click

from spotlabel.labelers.base import is_taught
from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.cli.teaching import as_table, rows, totals
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import check_writable, teach_all, usable_cores
from spotlabel.pipeline.running.order import longest_first
from spotlabel.pipeline.stages.students_ahead import students_ahead
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.upkeep.groups import looked_at_once
from spotlabel.pipeline.upkeep.notes import notes
from spotlabel.pipeline.upkeep.plan import Item, items


@click.command()
@recipe_options
@click.option(
    "--per",
    type=click.Choice(["video", "camera", "dataset"]),
    default=None,
    help="One student for each video, each camera, or all videos; as --set students.per=...",
)
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=None,
              help="Videos at a time; default: one per processor.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be taught: boxes asked about, CPU time.")
@click.option("--quiet", is_flag=True, help="Tell failures only.")
def teach(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    per: str | None,
    jobs: int | None,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Teach the small networks that preset `learned` labels with: one a video, or one for several.

    `spotlabel label` does it by itself; this is for looking at it, and for one student that labels others.
    A student is taught again if frames, boxes, the teacher, settings or versions are others. What the
    teacher has said is kept. Safe to stop at any moment: run the same command again to go on.

    Where videos share a student, say so in the recipe or to `label` too (--set students.per=dataset), or it
    teaches one for each video. With --only the students of these videos are taught, on all that share them.

    \b
    Examples:
      spotlabel teach my-cameras.yaml --set preset=learned
      spotlabel teach my-cameras.yaml --set preset=learned --only gate-3
      spotlabel teach my-cameras.yaml --set preset=learned --per dataset
      spotlabel teach my-cameras.yaml --set preset=learned --per camera --set 'students.camera=^([^/]+)/'
      spotlabel teach fixed.yaml --set labeler=boxbg-student --set evidence.boxbg-student.teaching.boxes=300
    """
    loaded = load_recipe(recipe, (*overrides, f"students.per={per}") if per else overrides)
    videos = items(loaded, only)
    for line in notes(loaded, videos):
        echo(f"note: {line}", err=True)
    if dry_run:
        _tell_plan(loaded, videos)
        return
    check_writable(loaded.out)
    clear_partials(loaded.out)
    names = longest_first(videos)
    with watching(console(), len(names), quiet) as watcher:
        ran = {o.sequence: o for o in teach_all(loaded, names, jobs or usable_cores(), watcher)}
    outcomes = [ran[item.sequence.name] for item in videos]
    if not quiet:
        _tell(outcomes)
        paths = [item.student_path for item in videos if not ran[item.sequence.name].failed]
        for path in dict.fromkeys(paths):
            echo(f"student: {path}")
    if failed := sum(outcome.failed for outcome in outcomes):
        echo(f"{failed} of {len(outcomes)} videos failed; the others are whole", err=True)
        sys.exit(1)


def _tell_plan(recipe: Recipe, videos: list[Item]) -> None:
    """What would be taught, and what cannot be."""
    with looked_at_once():
        usable = [item for item in videos if is_taught(item.labeler) and not item.sequence.problem]
        found = rows(recipe, students_ahead(recipe, usable))
    if found:
        console(sys.stdout).print(as_table(found))
    for line in totals(found) or ["nothing to teach"]:
        echo(line)
    left = [item.sequence for item in videos if item not in usable]
    for video in left:
        echo(f"left out: {video.name}: {video.problem or 'its labeler has no student'}")
    if left or any("problem" in row for row in found):
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

"""``spotlabel export masks``: masks in the formats of other tools."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.folder import Joined, check_folder, finish_folder
from spotlabel.pipeline.exports.options import ExportOptions, FormatName
from spotlabel.pipeline.exports.stage import dataset_classes, origins
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.exporting import Todo, export_all, plan_export
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import usable_cores
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.text import failures
from spotlabel.pipeline.upkeep.plan import items

_LACKING_SHOWN = 3


@dataclass(frozen=True)
class _Export:
    """One export: of what, where, how."""

    recipe: Recipe
    to: Path
    options: ExportOptions


@click.command("masks")
@recipe_options
@click.option(
    "--format", "form", required=True, type=click.Choice(get_args(FormatName)), help="Of the files."
)
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Where they go: a folder of this export's own.")  # fmt: skip
@click.option("--min-believability", default=0.0, show_default=True, type=click.FloatRange(0, 1),
              help="Masks that are less believable are unknown.")  # fmt: skip
@click.option("--every", default=1, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Only frames whose number can be divided by N.")  # fmt: skip
@click.option("--images", default="none", show_default=True, type=click.Choice(["link", "copy", "none"]),
              help="Bring the images along: as symbolic links or copies.")  # fmt: skip
@click.option("--jobs", "-j", type=click.IntRange(min=1), metavar="N",
              help="Videos at a time; default: all processors.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--quiet", is_flag=True, help="Tell failures only.")
def masks_command(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    form: FormatName,
    to: Path,
    jobs: int | None,
    dry_run: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Write the masks of a dataset, object by object, in a format that other tools read.

    The masks must be those that RECIPE asks for (`spotlabel label`). Files that are whole and up to date are
    left alone; safe to stop at any moment: run the same command again to go on. docs/exports.md tells what
    each format holds and what it cannot.

    \b
    Examples:
      spotlabel export masks ua-detrac --set data=/data/UA-DETRAC --format coco --to export --images link
      spotlabel export masks demo --format yolo-seg --to yolo --images copy --every 5
      spotlabel export masks my-cameras.yaml --only gate-3 --format cvat --to for-cvat
    """
    loaded = load_recipe(recipe, overrides)
    everything = items(loaded)
    classes = dataset_classes(everything)
    export = _Export(loaded, to, ExportOptions(format=form, classes=classes, **chosen))
    check_folder(to, export.options)
    videos = items(loaded, only) if only else everything
    todo = [plan_export(loaded, item, export.options, to) for item in videos]
    if dry_run:
        _tell_plan(todo)
        sys.exit(1 if any(each.problem for each in todo) else 0)
    _make_folder(to)
    with watching(console(), sum(bool(each.reason) for each in todo), quiet) as watcher:
        outcomes = export_all(loaded, todo, export.options, to, jobs or usable_cores(), watcher)
    joined = finish_folder(to, origins(everything, export.options), export.options)
    if not quiet:
        _tell(export, outcomes, joined)
    failed = sum(outcome.failed for outcome in outcomes)
    if failed:
        echo(failures(failed, len(outcomes)), err=True)
        sys.exit(1)


def _make_folder(to: Path) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"--to {to}: cannot be made: {error.strerror}; choose another folder") from error


def _tell_plan(todo: list[Todo]) -> None:
    shown = table("sequence", "export")
    for each in todo:
        state = f"UNUSABLE: {each.problem}" if each.problem else each.reason or "up to date"
        shown.add_row(escape(each.name), escape(state))
    console(sys.stdout).print(shown)


def _tell(export: _Export, outcomes: list[Outcome], joined: Joined) -> None:
    """A line if nothing was to do, else a table; then what a user should know."""
    if all(outcome.masks == "fresh" for outcome in outcomes) and not joined.remarks:
        echo(f"nothing to do: {len(outcomes)} of {len(outcomes)} videos are up to date in {export.to}")
        return
    columns = ("sequence", "export", "frames", "masks", "frames/s")
    shown = table(*columns, numbers=columns[2:])
    for outcome in outcomes:
        spent = sum(outcome.seconds.values())
        rate = f"{outcome.frames / spent:.1f}" if spent else ""
        counts = ("", "") if outcome.failed else (str(outcome.frames), str(outcome.boxes))
        shown.add_row(escape(outcome.sequence), outcome.masks, *counts, rate)
    console(sys.stdout).print(shown)
    for outcome in outcomes:
        for line in outcome.remarks:
            echo(f"{outcome.sequence}: {line}")
    for file in joined.files:
        echo(f"{export.options.format}: {file}")
    for line in joined.remarks:
        echo(line)
    if joined.files and joined.lacking:
        named = [f"{name} ({reason})" for name, reason in joined.lacking.items()]
        more = ", ..." if len(named) > _LACKING_SHOWN else ""
        listed = ", ".join(named[:_LACKING_SHOWN]) + more
        echo(f"without {len(named)} videos that are not whole and up to date: {listed}")
    echo(f"masks ({export.options.format}): {export.to}")

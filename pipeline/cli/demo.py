"""``spotlabel demo``: the whole job on rendered scenes, measured against exact masks."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from spotlabel.labelers.masks.presets import PAPER
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.cli.report import PAGE, commands, write_page
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.pages.report.write import Asked
from spotlabel.pipeline.pictures.render import Look, render_item
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import run_all, usable_cores
from spotlabel.pipeline.store import UNKNOWN, MaskReader
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.upkeep.plan import Item, items, plan_item


@click.command()
@click.option("--out", default="runs/demo", show_default=True, help="Output folder.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe value.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=None, help="Videos at a time.")
@click.option("--quiet", is_flag=True, help="Only the table.")
def demo(out: str, overrides: tuple[str, ...], jobs: int | None, quiet: bool) -> None:
    """Label two rendered scenes (fixed and moving camera) and compare with their exact masks.

    Needs no data and no GPU; takes a minute or two. Shows what the tool does and whether it works here.

    \b
    Examples:
      spotlabel demo
      spotlabel demo --set preset=paper --out runs/demo-paper
    """
    recipe = load_recipe("demo", [f"out={out}", *overrides])
    chosen = items(recipe)
    if any(item.sequence.truth is None for item in chosen):
        raise RecipeError("dataset.reader: the demo measures against exact masks, which this dataset lacks")
    names = [item.sequence.name for item in chosen if not plan_item(recipe, item).idle]
    with watching(console(), len(names), quiet) as watcher:
        outcomes = run_all(recipe, names, jobs or usable_cores(), False, watcher)
    if any(outcome.failed for outcome in outcomes):
        sys.exit(1)
    _tell(recipe, chosen, outcomes)
    page = recipe.out / PAGE
    write_page(
        recipe,
        chosen,
        page,
        Asked("Labels of demo", commands("demo", [f"out={out}", *overrides])),
        quiet=quiet,
    )
    if quiet:
        echo(f"report: {page}")
    echo(f"turn the thresholds and watch: spotlabel tune demo --set out={shlex.quote(out)}")
    if recipe.masks != PAPER:
        echo(f"as in the paper: spotlabel demo --out {recipe.out}-paper --set preset=paper")


@dataclass(frozen=True)
class _Score:
    """Masks of one scene against the exact ones.

    Attributes:
        counts: pixels by verdict; unknown pixels of our masks do not count.
        unknown: share of pixels that are unknown.
    """

    counts: PixelCounts
    unknown: float


def score_masks(item: Item) -> _Score:
    """Compare the stored masks of a sequence that has exact truth."""
    truth_at = item.sequence.truth
    assert truth_at is not None
    reader, counts, unknown = MaskReader(item.mask_path), PixelCounts(), 0
    everywhere = np.ones(reader.size, np.bool_)
    for index in range(len(reader)):
        mask, truth = reader.read(index), truth_at(index)
        assert truth is not None
        unknown += int(np.count_nonzero(mask == UNKNOWN))
        counts += count(mask, truth > 0, everywhere, unknown="skip")
    return _Score(counts, unknown / (len(reader) * reader.size[0] * reader.size[1]))


def _tell(recipe: Recipe, chosen: list[Item], outcomes: list[Outcome]) -> None:
    """The table, and where the pictures are."""
    seconds = {outcome.sequence: sum(outcome.seconds.values()) for outcome in outcomes}
    columns = ("sequence", "labeler", "frames", "IoU", "F", "unknown", "frames/s")
    shown = table(*columns, numbers=columns[2:])
    for item in chosen:
        name, score, frames = item.sequence.name, score_masks(item), len(item.sequence.frames)
        shown.add_row(
            escape(name), item.labeler.name, str(frames), f"{score.counts.iou:.3f}",
            f"{score.counts.f_measure:.3f}", f"{score.unknown:.1%}",
            f"{frames / seconds[name]:.1f}" if seconds.get(name) else "cached",
        )  # fmt: skip
    console(sys.stdout).print(shown)
    sheets = [
        render_item(item, recipe.out / "show" / file_stem(item.sequence.name), Look()) for item in chosen
    ]
    for sheet in sheets:
        echo(f"picture: {sheet}")
    echo(f"masks: {Path(recipe.out) / 'masks'}")

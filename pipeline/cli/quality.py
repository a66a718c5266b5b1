"""``spotlabel quality``: masks against pixel ground truth."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np

from spotlabel.labelers.masks.believability import told_against
from spotlabel.labelers.masks.figures import DecidedBy
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.measures.quality import Quality, measure
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.upkeep.labelled import stale_masks
from spotlabel.pipeline.upkeep.plan import Item, items


@click.command()
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of all recipes.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this sequence; may be repeated.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True,
              help="Compare every so many frames.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print figures as JSON on standard output.")
def quality(
    recipes: tuple[str, ...], overrides: tuple[str, ...], only: tuple[str, ...], every: int, as_json: bool
) -> None:
    """F, IoU and boundary F of the masks of recipes whose dataset has pixel ground truth.

    F and IoU pool all pixels (CDnet); mean IoU and boundary F are means over frames (DAVIS). Unknown counts
    as background, so nothing is gained by staying silent. A dataset without ground truth is an error.
    "doubted for" counts the boxes that are not believed by what told most against them, "evidence of" says
    whether labeler or network decided, where both were asked.

    \b
    Examples:
      spotlabel quality workflows/cdnet.yaml --set data=/data/CDnet2014 --only baseline/highway
      spotlabel quality runs/a.yaml runs/b.yaml --json
    """
    rows = []
    for name in recipes:
        loaded = load_recipe(name, overrides)
        for item in items(loaded, only):
            rows.append((name, item.labeler.name, _measured(item, every), _told(item)))
            if why := stale_masks(loaded, item, with_frames=False):
                echo(f"{item.sequence.name}: these are not the masks that {name} asks for: {why}", err=True)
    if as_json:
        echo_lines(json.dumps([_as_dict(*row) for row in rows], indent=1))
        return
    numbers = ("frames", "F", "IoU", "mean IoU", "boundary F", "unknown")
    shown = table("recipe", "labeler", "sequence", *numbers, "doubted for", "evidence of", numbers=numbers)
    for name, labeler, quality, told in rows:
        shown.add_row(
            escape(Path(name).name), labeler, escape(quality.sequence), str(quality.frames),
            f"{quality.counts.f_measure:.4f}", f"{quality.counts.iou:.4f}", f"{quality.mean_iou:.4f}",
            f"{quality.boundary_f:.4f}", f"{quality.unknown:.2%}",
            *(", ".join(f"{what} {count}" for what, count in counts.items()) for counts in told.values()),
        )  # fmt: skip
    console(sys.stdout).print(shown)


def _measured(item: Item, every: int) -> Quality:
    if not item.mask_path.exists():
        raise StoreError(
            f"{item.sequence.name}: has no masks ({item.mask_path}); run `spotlabel label` first"
        )
    return measure(item.sequence, item.mask_path, every)


def _told(item: Item) -> dict[str, dict[str, int]]:
    """How many boxes are not believed, by what told most against them; and how many are whose evidence."""
    columns = MaskReader(item.mask_path).quality
    doubted = Counter(
        part for part, believed in zip(told_against(columns), columns["believed"], strict=True)
        if part and not believed
    )  # fmt: skip
    by = columns.get("decided_by", np.zeros(0, np.float32))
    decided = {one.name.lower(): int(np.count_nonzero(by == one)) for one in DecidedBy}
    return {
        "doubted for": dict(doubted.most_common()),
        "evidence of": {name: count for name, count in decided.items() if count},
    }


def _as_dict(recipe: str, labeler: str, quality: Quality, told: dict[str, dict[str, int]]) -> dict[str, Any]:
    """All figures of a sequence; null for what could not be worked out."""
    counts = quality.counts
    figures = {
        "f": counts.f_measure, "precision": counts.precision, "recall": counts.recall, "iou": counts.iou,
        "mean_iou": quality.mean_iou, "boundary_f": quality.boundary_f, "unknown": quality.unknown,
    }  # fmt: skip
    known = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return {
        "recipe": recipe,
        "labeler": labeler,
        "sequence": quality.sequence,
        "frames": quality.frames,
        **known,
        **{name.replace(" ", "_"): counts for name, counts in told.items()},
    }

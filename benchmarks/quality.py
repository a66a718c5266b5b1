"""Measure every labeler against pixel ground truth and write the table: ``make quality``.

    python -m benchmarks.quality DATA [--out runs/quality] [--table docs/quality.md] [--only boxbg]

DATA holds ``cdnet``, ``sbi`` and ``davis``; some scenes are rendered. Stores are kept, so that a second run
only compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.cli.options import console
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.measures.quality import Quality, measure
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.local import run_all
from spotlabel.pipeline.upkeep.plan import items, plan_item


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        title: how the row is called.
        labeler: name of the labeler.
        masks: the recipe's mask section.
        evidence: settings of the labeler.
    """

    title: str
    labeler: str
    masks: dict[str, Any]
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """One dataset.

    Attributes:
        name: its folder below DATA, and in the output.
        table: the table to which it adds columns.
        every: so many frames are between two that are compared, plus one.
        methods: the rows of that table.
        options: the recipe's dataset section.
    """

    name: str
    table: str
    every: int
    methods: tuple[Method, ...]
    options: dict[str, Any]


PAPER = {"preset": "paper"}
DEFAULT = {"preset": "default"}
BOX = Method("fill the box", "filled-box", PAPER)
FIXED = (
    BOX,
    Method("MOG2 and boxes", "mog2", PAPER),
    Method("KNN and boxes", "knn", PAPER),
    Method("PAWCS and boxes (the paper)", "pawcs", PAPER),
    Method("**boxbg**", "boxbg", DEFAULT),
)
MOVING = (
    BOX,
    Method("`spotnet-released`", "released-flow", {"preset": "spotnet-released"}),
    Method("flow > 1 px/frame and boxes (the paper)", "farneback", PAPER),
    Method("egoflow > 1 px/frame", "egoflow", PAPER),
    Method("**egoflow-cut**", "egoflow-cut", DEFAULT),
)
SIZE = {"width": 640, "height": 360, "frames": 120}
STREETS = [
    {"name": "overcast", "seed": 21, "shadows": 0.0, **SIZE},
    {"name": "sunny", "seed": 22, "shadows": 0.7, **SIZE},
    {"name": "shaking", "seed": 23, "shadows": 0.35, "jitter": 3.0, **SIZE},
    {"name": "drifting light", "seed": 24, "shadows": 0.55, "drift": 0.25, **SIZE},
]
DRONES = [
    {"name": "pan", "seed": 31, "camera": "moving", "rotation": 0.0, "zoom": 0.0, **SIZE},
    {"name": "turn and zoom", "seed": 32, "camera": "moving", "rotation": 12.0, "zoom": 0.25, **SIZE},
]
DATASETS = (
    Data("cdnet", "fixed", 1, FIXED, {"reader": "cdnet"}),
    Data("sbi", "fixed", 1, FIXED, {"reader": "sbi"}),
    Data("davis", "moving", 3, MOVING, {"reader": "davis"}),
    Data("streets", "streets", 3, FIXED, {"reader": "synthetic", "scenes": STREETS}),
    Data("drones", "drones", 3, MOVING, {"reader": "synthetic", "scenes": DRONES}),
)

HEAD = """# How good the labels are

Written by `make quality`. Masks against pixel ground truth; boxes of the real sequences are derived from that
ground truth (connected components of at least 60 px, padded by 2 px). Unknown pixels of a mask count as
background.
"""
FIXED_HEAD = """
## Fixed cameras

F-measure / boundary F. The F-measure pools all pixels of the evaluated frames (CDnet's rule: shadow
is background; unknown truth and what lies outside the region of interest do not count), the boundary F is a
mean over frames. The last column is the mean over sequences.
"""
MOVING_HEAD = """
## Moving cameras

DAVIS, one annotated vehicle, every third frame: mean over frames of the IoU / of the boundary F. The last
column is the mean over sequences.
"""
STREETS_HEAD = """
## Rendered streets

Scenes with exact truth; nothing was chosen by them, though others of the same renderer were looked at.
F-measure / boundary F of every third frame. Each has a car that parks, one that drives off, sensor noise,
trees in the wind, and objects in front of the traffic; "shaking" moves by some px from frame to frame, in
"drifting light" the exposure changes by a quarter. Seeds and strengths: `benchmarks/quality.py`.
"""
DRONES_HEAD = """
## Rendered drones

The same for a camera that moves over the ground, "pan" straight on: mean over frames of the IoU / of the
boundary F.
"""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/quality"), show_default=True)
@click.option("--table", "table_file", type=click.Path(path_type=Path), default=Path("docs/quality.md"))
@click.option("--only", multiple=True, metavar="LABELER", help="Only this labeler; prints, writes no table.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=1, show_default=True)
def main(data: Path, out: Path, table_file: Path, only: tuple[str, ...], jobs: int) -> None:
    """Label what is not yet labelled, compare, write the table."""
    rows: dict[str, dict[str, list[Quality]]] = {dataset.table: {} for dataset in DATASETS}
    for dataset in DATASETS:
        kind = rows[dataset.table]
        for method in dataset.methods:
            if only and method.labeler not in only:
                continue
            recipe = _recipe(data, out, dataset, method)
            kind.setdefault(method.title, []).extend(_qualities(recipe, dataset.every, jobs))
    text = HEAD + FIXED_HEAD + fixed_table(rows["fixed"]) + MOVING_HEAD + moving_table(rows["moving"])
    text += STREETS_HEAD + fixed_table(rows["streets"]) + DRONES_HEAD + moving_table(rows["drones"])
    if only:
        click.echo(text)
    else:
        write_atomically(table_file, text.encode())
        click.echo(f"table: {table_file}")


def _recipe(data: Path, out: Path, dataset: Data, method: Method) -> Recipe:
    tree = {
        "data": str(data / dataset.name),
        "out": str(out / dataset.name / method.labeler),
        "dataset": dataset.options,
        "labeler": method.labeler,
        "evidence": {method.labeler: method.evidence},
        "masks": method.masks,
    }
    return build_recipe(tree, where=f"{dataset.name}, {method.title}")


def _qualities(recipe: Recipe, every: int, jobs: int) -> list[Quality]:
    """Figures of all sequences of a recipe, whose labels are made first where they are not there."""
    chosen = items(recipe)
    names = [item.sequence.name for item in chosen if not plan_item(recipe, item).idle]
    with watching(console(), len(names), quiet=False) as watcher:
        if any(outcome.failed for outcome in run_all(recipe, names, jobs, False, watcher)):
            sys.exit(1)
    return [measure(item.sequence, item.mask_path, every) for item in chosen]


def fixed_table(rows: dict[str, list[Quality]]) -> str:
    """Markdown: F of each sequence, and the boundary F."""
    return _markdown(rows, lambda quality: quality.counts.f_measure)


def moving_table(rows: dict[str, list[Quality]]) -> str:
    """Markdown: mean IoU of each sequence, and the boundary F."""
    return _markdown(rows, lambda quality: quality.mean_iou)


def _markdown(rows: dict[str, list[Quality]], figure: Any) -> str:
    if not rows:
        return "\n(nothing measured)\n"
    names = [quality.sequence.rpartition("/")[2] for quality in next(iter(rows.values()))]
    lines = [_line(["labels", *names, "mean"]), _line(["---"] * (len(names) + 2))]
    for title, qualities in rows.items():
        cells = [f"{_short(figure(quality))} / {_short(quality.boundary_f)}" for quality in qualities]
        means = (fmean(figure(q) for q in qualities), fmean(q.boundary_f for q in qualities))
        lines.append(_line([title, *cells, " / ".join(_short(mean) for mean in means)]))
    return "\n" + "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(value: float) -> str:
    """Four decimals without the leading zero."""
    return f"{value:.4f}".removeprefix("0")


if __name__ == "__main__":
    main()

"""``spotlabel compare``: what changed between two label versions."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.compare.figures import Figures, figures, most_changed
from spotlabel.pipeline.compare.origin import equal_origin, told_origin
from spotlabel.pipeline.compare.pairs import Pair, Pairing, pair_up
from spotlabel.pipeline.compare.report import POOLED, report_data, write_report
from spotlabel.pipeline.compare.stores import Comparison, compare_stores
from spotlabel.pipeline.pictures.comparison import render_changes
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.watcher import SilentWatcher
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.upkeep.labelled import stale_masks

SHEET = "sheet.png"


@click.command()
@click.argument("recipe_a", metavar="RECIPE_A")
@click.argument("recipe_b", metavar="RECIPE_B")
@click.option("--set", "both", multiple=True, metavar="KEY=VALUE", help="Change a value of both recipes.")
@click.option("--set-a", multiple=True, metavar="KEY=VALUE", help="Change a value of RECIPE_A.")
@click.option("--set-b", multiple=True, metavar="KEY=VALUE", help="Change a value of RECIPE_B.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this sequence; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Output folder; default: compare/ in RECIPE_B's output folder.")  # fmt: skip
@click.option("--top", type=click.IntRange(0, 500), default=50, show_default=True,
              help="How many boxes the picture shows; 0 makes none.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
def compare(  # noqa: PLR0917 - one argument per option
    recipe_a: str,
    recipe_b: str,
    both: tuple[str, ...],
    set_a: tuple[str, ...],
    set_b: tuple[str, ...],
    only: tuple[str, ...],
    out: Path | None,
    top: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show what changed between two label versions of the same videos.

    Both must have been labelled, in different output folders. Boxes are matched by frame and coordinates.
    IoU is that of the foreground inside a box, over pixels known in both versions; boxes without any
    foreground there have none.

    Writes compare.json (figures), boxes.csv and frames.csv (a row each) and sheet.png, the boxes that differ
    most: image | A | B.

    \b
    Examples:
      spotlabel compare old.yaml new.yaml
      spotlabel compare uavdt uavdt --set data=/data/UAVDT --set-b out=runs/uavdt-egoflow --only M0101
    """
    a, b = load_recipe(recipe_a, [*both, *set_a]), load_recipe(recipe_b, [*both, *set_b])
    pairing = pair_up(a, b, only)
    parts, alike = _compared(pairing.pairs, quiet or as_json)
    remarks = [*_remarks(a, b, pairing), *filter(None, map(told_origin, alike))]
    folder = out or b.out / "compare"
    facts = {"a": a.effective(), "b": b.effective(), "only_a": pairing.only_a, "only_b": pairing.only_b,
             "remarks": remarks}  # fmt: skip
    data = report_data(parts, facts)
    written = write_report(folder, parts, data)
    chosen = most_changed(parts, top)
    if chosen:
        heading = f"A: {a.out}     B: {b.out}"
        render_changes(folder / SHEET, chosen, {pair.name: pair for pair in pairing.pairs}, heading)
        written.append(folder / SHEET)
    else:
        (folder / SHEET).unlink(missing_ok=True)  # of an earlier run: it would show something else
    for line in remarks:
        echo(line, err=True)
    if as_json:
        echo_lines(json.dumps(data, indent=1))
    elif not quiet:
        _tell(parts)
        for path in written:
            echo(path)


def _compared(pairs: list[Pair], quiet: bool) -> tuple[list[Comparison], list[Comparison]]:
    """All comparisons, and those of masks that were made from the same inputs."""
    with watching(console(), len(pairs), quiet) as watcher:
        made = [_compare(pair, watcher) for pair in pairs]
    return [part for part, _ in made], [part for part, alike in made if alike]


def _compare(pair: Pair, watcher: SilentWatcher) -> tuple[Comparison, bool]:
    """A comparison, and whether both sides were made from the same inputs."""
    started = time.perf_counter()
    readers = MaskReader(pair.a.mask_path), MaskReader(pair.b.mask_path)
    part = compare_stores(*readers, lambda done, total: watcher.progress(pair.name, "compare", done, total))
    alike = equal_origin(*readers)
    for reader in readers:
        reader.close()
    watcher.finished(Outcome(pair.name, seconds={"compare": time.perf_counter() - started}))
    return part, alike


def _remarks(a: Recipe, b: Recipe, pairing: Pairing) -> list[str]:
    """What deserves a second look: videos in one recipe only, masks that do not fit their recipe."""
    lines = []
    for side, other, names in (("A", "B", pairing.only_a), ("B", "A", pairing.only_b)):
        if names:
            lines.append(f"only in {side}, not in {other}: {', '.join(names)}")
    for pair in pairing.pairs:
        for side, recipe, item in (("A", a, pair.a), ("B", b, pair.b)):
            if why := stale_masks(recipe, item, with_frames=False):
                lines.append(f"{pair.name}: masks in {side} are not what its recipe asks for: {why}")
    return lines


def _tell(parts: list[Comparison]) -> None:
    columns = (
        "sequence", "frames", "boxes", "compared", "mean IoU", "median", "below .5", "foreground",
        "unknown", "believed A", "believed B",
    )  # fmt: skip
    shown = table(*columns, numbers=columns[1:])
    rows = [figures(part.sequence, [part]) for part in parts]
    if len(rows) > 1:
        rows.append(figures(POOLED, parts))
    for row in rows:
        shown.add_row(*_cells(row))
    console(sys.stdout).print(shown)
    pooled = rows[-1]
    echo(
        "compared: boxes with foreground to compare, over which IoU is taken; foreground, unknown: share of "
        "the boxes' pixels, A -> B; believed A, B: number of boxes that only this version believes"
    )
    echo(
        f"pixels of all frames: {pooled.gained} foreground gained, {pooled.lost} lost, "
        f"{pooled.to_unknown} became unknown, {pooled.from_unknown} became known"
    )
    for what, (in_a, in_b) in (("boxes", pooled.lone_boxes), ("frames", pooled.lone_frames)):
        if in_a or in_b:
            echo(f"not compared: {in_a} {what} that only A has, {in_b} that only B has")


def _cells(row: Figures) -> tuple[str, ...]:
    ious = ["-" if v is None else f"{v:.3f}" for v in (row.mean_iou, row.median_iou)]
    return (
        escape(row.sequence), str(row.frames), str(row.boxes), str(row.compared), *ious,
        _percent(row.below_half), f"{_percent(row.foreground_a)} -> {_percent(row.foreground_b)}",
        f"{_percent(row.unknown_a)} -> {_percent(row.unknown_b)}",
        str(row.believed_only_a), str(row.believed_only_b),
    )  # fmt: skip


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"

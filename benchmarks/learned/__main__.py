"""The labelers that ask a network, against pixel ground truth.

    python -m benchmarks.learned DATA [--network models/u2net.onnx] [--only car-shadow]

DATA holds ``cdnet``, ``sbi``, ``davis`` and ``extra``. Some frames of each sequence are compared: about 250
boxes, 1.3 CPU-seconds each, twice. Stores of the other labelers' evidence are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import fmean

import click

from benchmarks.learned.some_frames import Figures, SomeFrames, compared
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.upkeep.plan import Item, items

FOLDERS = {"davis": "davis", "extra/davis": "davis", "cdnet": "cdnet", "sbi": "sbi", "extra/sbi": "sbi"}
"""Folder below DATA to reader."""
EVERY, MOST_MOVING, MOST_FIXED = 9, 12, 8
"""Moving cameras: every 9th frame, 12 at most; fixed ones: 8 frames with objects, spread evenly."""
ROWS = ("labeler", "teacher", "fused")


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--network", type=click.Path(exists=True, path_type=Path), default=Path("models/u2net.onnx"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/learned"), show_default=True)
@click.option("--only", multiple=True, metavar="SEQUENCE", help="Only sequences whose name ends so.")
def main(data: Path, network: Path, out: Path, only: tuple[str, ...]) -> None:
    """Print a table: mean IoU of moving cameras, F-measure of fixed ones."""
    files = {"network": network.read_bytes()}
    found: dict[Camera, list[tuple[Figures, ...]]] = {camera: [] for camera in Camera}
    click.echo("| sequence | boxes | labeler | teacher | fused |\n|---|---|---|---|---|")
    for folder, reader in FOLDERS.items():
        recipe = _recipe(data / folder, out / folder, reader)
        for item in items(recipe):
            if only and not item.sequence.name.endswith(only):
                continue
            _make(recipe, item)
            fixed = item.sequence.camera == Camera.FIXED
            clip = SomeFrames(item, 0 if fixed else EVERY, MOST_FIXED if fixed else MOST_MOVING)
            figures = compared(item, clip, files)
            row = tuple(figures[name] for name in ROWS)
            found[item.sequence.camera].append(row)
            click.echo(_line(item.sequence.name, str(clip.boxes), row, item.sequence.camera))
    for camera, rows in found.items():
        if rows:
            means = [fmean(_figure(row[column], camera) for row in rows) for column in range(len(ROWS))]
            click.echo(f"| mean, {camera} | | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")


def _recipe(data: Path, out: Path, reader: str) -> Recipe:
    tree = {"data": str(data), "out": str(out), "dataset": {"reader": reader}}
    return build_recipe(tree, where=str(data))


def _make(recipe: Recipe, item: Item) -> None:
    """The evidence of the labeler of preset ``default``, where it is not there."""
    outcome = run_sequence(recipe, item.sequence.name, False, lambda stage, done, total: None)
    if outcome.failed:
        click.echo(f"{outcome.sequence}: {outcome.error}", err=True)
        sys.exit(1)


def _figure(figures: Figures, camera: Camera) -> float:
    return figures.f_measure if camera == Camera.FIXED else figures.mean_iou


def _line(name: str, boxes: str, row: tuple[Figures, ...], camera: Camera) -> str:
    return "| " + " | ".join([name, boxes, *(f"{_figure(figures, camera):.4f}" for figures in row)]) + " |"


if __name__ == "__main__":
    main()

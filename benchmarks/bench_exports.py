"""What exports cost: ``make bench-exports [DATA=../shared/data]``.

Every format in a process of its own: frames per second of CPU time and of wall time, flushing to the disk
included. Memory is the most that the process held while it exported every 4th frame, and while it exported
all: equal where it does not grow with the video. UA-DETRAC's MVI_40201 (960x540, 400 frames) with ``--data``,
else a rendered street of this size.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from pathlib import Path
from typing import Any, get_args

import click

from spotlabel.pipeline.exports.options import ExportOptions, FormatName
from spotlabel.pipeline.exports.stage import dataset_classes, export_video
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items

AIM = 200
"""Frames per second of CPU time, for coco."""
Cost = tuple[float, float, float, list[str]]
"""Frames per second of CPU time and of wall time, MB, remarks."""


def recipe_tree(data: Path | None, out: Path) -> dict[str, Any]:
    """What is labelled and exported."""
    scene = {"name": "rendered", "width": 960, "height": 540, "frames": 400}
    dataset: dict[str, Any] = {"reader": "ua-detrac"} if data else {"reader": "synthetic", "scenes": [scene]}
    return {"data": str(data / "ua-detrac" if data else "."), "out": str(out), "dataset": dataset}


def cost(tree: dict[str, Any], name: str, form: FormatName, every: int, to: Path) -> Cost:
    """Export one video in this process."""
    recipe = build_recipe(tree)
    found = items(recipe, [name])
    options = ExportOptions(format=form, every=every, classes=dataset_classes(found))
    shutil.rmtree(to, ignore_errors=True)
    cpu, wall = time.process_time(), time.perf_counter()
    record = export_video(recipe, found[0], options, to, lambda *_: None)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return record.frames / cpu, record.frames / wall, most_held(), record.remarks


def most_held() -> float:
    """Most memory that this process held, MB; what ``getrusage`` says includes that of the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder that holds ua-detrac/.")
@click.option("--format", "forms", multiple=True, type=click.Choice(get_args(FormatName)))
@click.option("--out", default="runs/bench-exports", type=click.Path(path_type=Path))
def main(data: Path | None, forms: tuple[FormatName, ...], out: Path) -> None:
    """Label one video if need be, then export it in every format."""
    tree, name = recipe_tree(data, out), "MVI_40201" if data else "rendered"
    outcome = run_sequence(build_recipe(tree), name, False, lambda *_: None)
    if outcome.error:
        raise SystemExit(outcome.error)
    click.echo(
        f"{name}, {outcome.frames} frames, {outcome.boxes} boxes; aim: coco {AIM} frames/s of CPU time"
    )
    click.echo(f"{'format':<12}{'frames/s CPU':>14}{'frames/s':>10}{'MB, every 4th':>15}{'MB, all':>9}")
    fresh = multiprocessing.get_context("spawn")
    for form in forms or get_args(FormatName):
        costs = []
        for every in (4, 1):
            with fresh.Pool(1) as pool:
                costs.append(pool.apply(cost, (tree, name, form, every, out / "exported" / form)))
        (_, _, less, _), (cpu, wall, held, remarks) = costs
        click.echo(f"{form:<12}{cpu:>14.0f}{wall:>10.0f}{less:>15.0f}{held:>9.0f}  {'; '.join(remarks)}")


if __name__ == "__main__":
    main()

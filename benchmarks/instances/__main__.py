"""Measure whose pixels are told right and write the table: ``make instances``.

    python -m benchmarks.instances [--docs docs/instances.md] [--seeds 11-16] [--frames 60]
    python -m benchmarks.instances --speed RECIPE --only SEQUENCE

The rules were made looking at scenes of the seeds 1 to 4; the table is of others.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from benchmarks.instances.measure import Score, best_possible, labelled, planes
from benchmarks.instances.speed import compare_speed
from spotlabel.labelers.masks import PRESETS, OwnerSettings
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.synthetic.scene import Scene
from spotlabel.pipeline.synthetic.settings import SceneSettings

RULES = ("nearest-edge", "smaller-box", "lower-edge", "tracks")
BEST = "the truth itself"
PAGE = Path(__file__).with_name("page.md")


@click.command()
@click.option("--docs", type=click.Path(path_type=Path), help="Page to write; default: print the table.")
@click.option("--seeds", default="11-16", show_default=True, help="First and last seed.")
@click.option("--frames", default=60, show_default=True, help="Frames of each scene.")
@click.option("--speed", type=click.Path(path_type=Path), help="Recipe whose mask stage is timed instead.")
@click.option("--only", default="", help="With --speed: the sequence.")
def main(docs: Path | None, seeds: str, frames: int, speed: Path | None, only: str) -> None:
    """Measure owners on rendered scenes, or the time they take."""
    if speed is not None:
        click.echo(compare_speed(load_recipe(str(speed), ()), only))
        return
    first, last = (int(seed) for seed in seeds.split("-"))
    tables = []
    for title, camera in (("street", Camera.FIXED), ("drone", Camera.MOVING)):
        scores = [measure(camera, seed, frames) for seed in range(first, last + 1)]
        tables.append(table(title, scores))
        click.echo(tables[-1])
    if docs is not None:
        text = PAGE.read_text(encoding="utf-8").format(
            tables="\n\n".join(tables), first=first, last=last, frames=frames
        )
        write_atomically(docs, text.encode())


def measure(camera: Camera, seed: int, frames: int) -> dict[str, Score]:
    """Every rule on one scene."""
    scene = Scene(SceneSettings(seed=seed, camera=camera, frames=frames, width=960, height=540))
    made = labelled(scene, PRESETS["default"])
    claimed = [one for one, _ in made]
    scores = {rule: Score() for rule in (*RULES, BEST)}
    for rule in RULES:
        for (one, truth), plane in zip(made, planes(claimed, OwnerSettings(rule=rule)), strict=True):
            scores[rule].add(one, plane, truth)
            if rule == RULES[0]:
                scores[BEST].add(one, best_possible(one, plane, truth), truth)
    return scores


def table(title: str, scenes: list[dict[str, Score]]) -> str:
    """Means over the scenes: of a rule, how many owners are right, and the IoU of instances."""
    pixels = sum(scene[BEST].pixels for scene in scenes)
    shared = sum(len(scene[BEST].shared) for scene in scenes)
    lines = [
        f"| {title}: {pixels:,} pixels of {shared:,} boxes | owner right, mean over scenes | worst scene | "
        "over all pixels | instance IoU | of boxes that share pixels |",
        "|---|---|---|---|---|---|",
    ]
    for rule in scenes[0]:
        right = [scene[rule].right / max(scene[rule].pixels, 1) for scene in scenes]
        all_right = sum(scene[rule].right for scene in scenes) / max(pixels, 1)
        ious = np.concatenate([scene[rule].ious for scene in scenes])
        mine = np.concatenate([scene[rule].shared for scene in scenes])
        name = f"`{rule}`" if rule in RULES else rule
        lines.append(
            f"| {name} | {np.mean(right):.1%} | {min(right):.1%} | {all_right:.1%} | {ious.mean():.3f} | "
            f"{mine.mean():.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

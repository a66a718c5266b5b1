"""What a forecast is made from: ``make bench-costs [DATA=../shared/data] [COSTS="--only mog2"]``.

Seconds a frame and megapixel, and memory a megapixel, of each labeler and of the mask stage, as ``spotlabel
plan --calibrate`` measures them: CPU time on one thread, each stage in a process of its own, stores written.
Beside them what ``pipeline/forecast/costs.py`` says. Labelers for fixed cameras see UA-DETRAC's MVI_40201
(960x540, 12 boxes) with ``--data``, else a rendered street of that size (16 boxes); the others a rendered
crowd (854x480, 14 boxes). What a frame's size does to memory is told by a second video, of a fiftieth of the
pixels.

Labelers that ask a network are left out: they take what the other labeler takes, and the network's time for
each box (``python -m benchmarks.learned.speed`` for students).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import cv2

from spotlabel.pipeline.forecast.costs import MASKS, RATES, Rate
from spotlabel.pipeline.forecast.estimate import Cost
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.calibrate import calibrate
from spotlabel.pipeline.upkeep.plan import items

FIXED = ("filled-box", "mog2", "knn", "pawcs", "pawcs-held", "pawcs-distance", "pawcs-pybgs", "boxbg")
MOVING = ("farneback", "released-flow", "egoflow", "egoflow-cut")
CAMERAS = dict.fromkeys(FIXED, "fixed") | dict.fromkeys(MOVING, "moving")
SIZES = {"fixed": (960, 540), "moving": (854, 480)}
SMALL = (136, 76)
LENGTH = 240
"""Frames of a rendered video: more than ``boxbg`` keeps."""


@dataclass(frozen=True)
class Seen:
    """What a stage was seen to take: seconds a frame and megapixel, megabytes a megapixel."""

    seconds: float
    megabytes: float


def rendered(folder: Path, camera: str, size: tuple[int, int], frames: int = LENGTH) -> Path:
    """Write a rendered scene in MOTChallenge's layout, so that its frames are decoded, not painted."""
    width, height = size
    scene = {"name": "rendered", "camera": camera, "width": width, "height": height, "frames": frames}
    tree = {"data": ".", "out": str(folder), "dataset": {"reader": "synthetic", "scenes": [scene]}}
    (item,) = items(build_recipe({**tree, "labeler": "filled-box"}))
    video = folder / f"{camera}-{width}x{height}" / "video"
    (video / "img1").mkdir(parents=True)
    (video / "gt").mkdir()
    boxes, rows = item.sequence.load().boxes, []
    for index in range(frames):
        cv2.imwrite(str(video / "img1" / f"{index + 1:06d}.jpg"), item.sequence.frames.read(index))
        for row in range(boxes.offsets[index], boxes.offsets[index + 1]):
            x0, y0, x1, y1 = boxes.xyxy[row]
            track = max(int(boxes.track_id[row]), 0) + 1
            rows.append(f"{index + 1},{track},{x0 + 1},{y0 + 1},{x1 - x0},{y1 - y0},1,3,1\n")
    (video / "gt" / "gt.txt").write_text("".join(rows))
    return video.parent


def measured(labeler: str, data: Path, reader: str, frames: int) -> tuple[float, tuple[Cost, Cost]]:
    """Megapixels of a frame, and what evidence and masks of a video cost."""
    camera = CAMERAS[labeler]
    dataset: dict[str, Any] = {"reader": reader} | ({"camera": camera} if reader == "mot" else {})
    tree: dict[str, Any] = {"data": str(data), "out": "runs/bench", "dataset": dataset, "labeler": labeler}
    recipe = build_recipe(tree, where=f"bench of {labeler}")
    item = items(recipe)[0]
    height, width = item.sequence.frames.size
    return height * width / 1e6, calibrate(recipe, item.sequence.name, frames)


def seen(cost: Cost, megapixels: float, small: Cost, few: float) -> Seen:
    """Of the costs of a large video and of a small one."""
    return Seen(cost.seconds / megapixels, (cost.peak - small.peak) / 1e6 / (megapixels - few))


def row(name: str, found: Seen, rate: Rate) -> str:
    """A line of the table."""
    ratio = rate.seconds / max(found.seconds, 1e-9)
    return (
        f"| {name} | {rate.seconds:g} | {found.seconds:.3f} | {ratio:.1f} "
        f"| {rate.megabytes:g} | {found.megabytes:.0f} |"
    )


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Folder of ua-detrac.")
@click.option("--only", multiple=True, type=click.Choice([*CAMERAS]), help="Only this labeler.")
@click.option("--frames", default=40, show_default=True, type=click.IntRange(min=8, max=LENGTH))
def main(data: Path | None, only: tuple[str, ...], frames: int) -> None:
    """Measure and print a Markdown table."""
    chosen = only or tuple(CAMERAS)
    if not only and find_spec("pybgs") is None:
        chosen = tuple(name for name in CAMERAS if name != "pawcs-pybgs")
        click.echo("pawcs-pybgs is left out: pybgs is not installed", err=True)
    click.echo("| labeler | s a frame and MP, forecast | seen | times | MB a MP, forecast | seen |")
    click.echo("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        videos = {
            (camera, size): rendered(Path(scratch), camera, size)
            for camera in dict.fromkeys(CAMERAS[name] for name in chosen)
            for size in (SIZES[camera], SMALL)
        }
        masks: list[Seen] = []
        for name in chosen:
            camera = CAMERAS[name]
            real = data / "ua-detrac" if data and camera == "fixed" else None
            large = real or videos[camera, SIZES[camera]]
            reader = "ua-detrac" if real else "mot"
            megapixels, costs = measured(name, large, reader, frames)
            few, small = measured(name, videos[camera, SMALL], "mot", frames)
            evidence, mask = (
                seen(cost, megapixels, less, few) for cost, less in zip(costs, small, strict=True)
            )
            masks.append(mask)
            click.echo(row(name, evidence, RATES[name]))
    worst = Seen(max(mask.seconds for mask in masks), max(mask.megabytes for mask in masks))
    click.echo(row("mask stage, at worst", worst, MASKS))


if __name__ == "__main__":
    main()

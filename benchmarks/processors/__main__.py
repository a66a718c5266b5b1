"""Which pixels come out otherwise on other processors: ``make processor-bytes [BYTES="--frames 200"]``.

The demo's scenes are rendered once, on this processor, and labelled under every emulation. The first table
counts pixels, the second names the functions of OpenCV that gave other bytes for equal arguments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.processors.child import TRACE, SavedScene
from benchmarks.processors.emulation import EMULATIONS, absent_flags
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.upkeep.plan import items

PAIRS = (
    "street:boxbg", "street:pawcs", "street:mog2", "street:knn", "street:farneback",
    "drone:egoflow", "drone:egoflow-cut",
)  # fmt: skip
ROOT = Path(__file__).parents[2]


@click.command()
@click.option("--frames", default=60, show_default=True, help="So many of each scene's 200.")
@click.option("--only", multiple=True, type=click.Choice(PAIRS), help="Only this scene and labeler.")
@click.option("--processor", multiple=True, type=click.Choice(list(EMULATIONS)), help="Only this emulation.")
@click.option("--variable", multiple=True, help="Set only these variables of the emulations.")
@click.option("--trace", is_flag=True, help="Also tell which functions of OpenCV differ; slow.")
def main(
    frames: int, only: tuple[str, ...], processor: tuple[str, ...], variable: tuple[str, ...], *, trace: bool
) -> None:
    """Label, compare, print Markdown."""
    pairs = list(only or PAIRS)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_scenes(folder, frames)
        host = labelled(folder, pairs, {}, trace=trace)
        for pair in pairs:
            np.save(folder / f"{pair}.npy", host[f"{pair}.evidence"])
        print(f"| emulated | scene: labeler | {' | '.join(COLUMNS)} |\n|{'---|' * (2 + len(COLUMNS))}")
        for name in processor or EMULATIONS:
            emulation = EMULATIONS[name]
            if absent := absent_flags(emulation):
                print(f"| {name} | not run: this processor has no {', '.join(absent)} |")
                continue
            told = emulation.environment()
            chosen = {key: value for key, value in told.items() if not variable or key in variable}
            there = labelled(folder, pairs, chosen, trace=trace)
            for pair in pairs:
                cells = [name, pair.replace(":", ": "), *differences(pair, host, there)]
                print(f"| {' | '.join(cells)} |", flush=True)
            if trace:
                print(f"{name}: {functions(host, there)}", flush=True)


COLUMNS = ("pixels", "evidence", "largest", "masks", "masks of equal evidence")
"""Pixels in all; those of the evidence that differ, and by how much at most; those of the masks."""


def save_scenes(folder: Path, frames: int) -> None:
    """Render the demo's scenes into ``street.npz`` (fixed camera) and ``drone.npz`` (moving)."""
    for item in items(load_recipe("demo")):
        count = min(frames, len(item.sequence.frames))
        images = np.stack([item.sequence.frames.read(index) for index in range(count)])
        boxes = [item.sequence.load().boxes.at(index) for index in range(count)]
        ends = np.cumsum([len(own) for own in boxes])
        SavedScene(images, np.concatenate(boxes), ends).save(folder / f"{item.sequence.name}.npz")


def labelled(folder: Path, pairs: list[str], told: dict[str, str], *, trace: bool = False) -> dict[str, Any]:
    """What a process makes whose libraries are told ``told``: evidence and masks, see the child."""
    out = folder / "out.npz"
    environment = os.environ | {"OMP_NUM_THREADS": "1", TRACE: "1" if trace else ""} | told
    subprocess.run(
        [sys.executable, "-m", "benchmarks.processors.child", str(folder), str(out), *pairs],
        cwd=ROOT, env=environment, check=True,
    )  # fmt: skip
    with np.load(out) as file:
        return {name: file[name] for name in file.files}


def differences(pair: str, host: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """The cells of :data:`COLUMNS`."""
    one, other = host[f"{pair}.evidence"], there[f"{pair}.evidence"]
    apart = np.abs(one.astype(np.int16) - other)
    masks = host[f"{pair}.masks"]
    return [
        str(one.size), str(np.count_nonzero(apart)), str(apart.max(initial=0)),
        str(np.count_nonzero(masks != there[f"{pair}.masks"])),
        str(np.count_nonzero(masks != there[f"{pair}.masks of host's evidence"])),
    ]  # fmt: skip


def functions(host: dict[str, Any], there: dict[str, Any]) -> str:
    """Functions with other results for equal arguments, and in how many of how many such calls."""
    one, other = json.loads(str(host["traced"])), json.loads(str(there["traced"]))
    told = []
    for name in sorted(one):
        equal = one[name].keys() & other[name].keys()
        unlike = sum(one[name][key] != other[name][key] for key in equal)
        if unlike:
            told.append(f"{name} in {unlike} of {len(equal)} calls")
    return ", ".join(told) or "no function of OpenCV differs"


if __name__ == "__main__":
    main()

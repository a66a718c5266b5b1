"""R24: readers of masks, over inputs that are no longer those the masks were made from."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
from click.testing import CliRunner

from benchmarks.campaign.bench import Bench, Whole
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.cli import main as spotlabel
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.upkeep.labelled import labelled_sequences
from tests.helpers.recipes import write

Tree = dict[str, Any]
_TOLD = re.compile(r"stale|changed|damaged|holds masks of|not the masks that", re.IGNORECASE)


def run(bench: Bench) -> Iterator[Result]:
    """A frame, the boxes, the labeler, a setting or the store itself is another one."""
    whole = bench.whole(2)
    tally = Tally(
        "R24",
        "masks whose frames, boxes, labeler, settings or video are others now",
        f"{', '.join(_CHANGES)}; then what training reads must be refused, and `spotlabel show` must say so",
        bench.counts.changes * len(_CHANGES),
    )
    for name, change in _CHANGES.items():
        for number in range(bench.counts.changes):
            tree = _labelled(bench, whole)
            change(tree, number)
            tally.record(f"{name}, {number + 1}", _unnoticed(bench, tree, whole.names[0]))
    yield tally.result()


def _labelled(bench: Bench, whole: Whole) -> Tree:
    """A copy of labelled videos; relative places stay what they were."""
    folder = bench.fresh("consumers")
    shutil.copytree(whole.tree["data"], folder / "data")
    shutil.copytree(whole.tree["out"], folder / "out", ignore=shutil.ignore_patterns(".digests"))
    tree = {**whole.tree, "data": str(folder / "data"), "out": str(folder / "out")}
    labelled_sequences(build_recipe(tree))  # whole before it is changed
    return tree


def _unnoticed(bench: Bench, tree: Tree, name: str) -> Iterator[str]:
    try:
        labelled_sequences(build_recipe(tree), [name])
        yield "training would take them"
    except SpotlabelError as error:
        if not _TOLD.search(str(error)):
            yield f"training does not say why: {error}"
    recipe = write(bench.folder / "consumers" / "recipe.yaml", tree)
    shown = CliRunner().invoke(spotlabel, ["show", str(recipe), "--only", name, "--count", "1"])
    if not _TOLD.search(shown.output):
        yield f"show says nothing: {shown.output.strip()[-200:]!r}"


def _frame(tree: Tree, number: int) -> None:
    frames = sorted((Path(tree["data"]) / "v0" / "img1").iterdir())
    path = str(frames[number % len(frames)])
    image = cv2.imread(path)
    assert image is not None
    cv2.imwrite(path, 255 - image)


def _boxes(tree: Tree, number: int) -> None:
    path = Path(tree["data"]) / "v0" / "gt" / "gt.txt"
    rows = path.read_text().splitlines()
    rows[number % len(rows)] = rows[number % len(rows)].replace(",14,12,", ",13,12,")
    path.write_text("\n".join(rows))


def _labeler(tree: Tree, number: int) -> None:
    tree["labeler"] = ("knn", "filled-box")[number % 2]
    tree.pop("evidence", None)


def _setting(tree: Tree, number: int) -> None:
    tree["masks"] = {"min_blob": 5 + number}


def _video(tree: Tree, number: int) -> None:
    masks = Path(tree["out"]) / "masks"
    shutil.copy(masks / "v1.h5", masks / "v0.h5")


_CHANGES: dict[str, Callable[[Tree, int], None]] = {
    "one frame": _frame, "one box": _boxes, "the labeler": _labeler, "a mask setting": _setting,
    "another video's store under this name": _video,
}  # fmt: skip

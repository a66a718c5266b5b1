"""How fast videos were made: remembered beside the logs, and told by a report when asked for alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.upkeep.plan import Item, items
from spotlabel.pipeline.upkeep.speeds import keep_speeds, read_speeds
from tests.helpers.reports import labelled, reported


def unlabelled(root: Path) -> tuple[Item, Path]:
    """A video without masks, and where its speeds would stand."""
    scene = {"name": "street", "frames": 3, "width": 64, "height": 48}
    (item,) = items(build_recipe({"out": str(root), "dataset": {"reader": "synthetic", "scenes": [scene]}}))
    path = root / "logs" / f"street.{item.labeler.name}.speeds.json"
    path.parent.mkdir(parents=True)
    return item, path


def test_speeds_of_another_labeler_are_not_this_ones(tmp_path: Path) -> None:
    scene = {"name": "street", "frames": 3, "width": 64, "height": 48}
    tree = {"out": str(tmp_path), "dataset": {"reader": "synthetic", "scenes": [scene]}}
    one, other = (items(build_recipe(tree | {"labeler": name}))[0] for name in ("mog2", "filled-box"))
    keep_speeds(one, 6, {"evidence": 3.0, "masks": 1.0})
    keep_speeds(other, 6, {"evidence": 0.5})
    assert read_speeds(one) == {"evidence": 2.0, "masks": 6.0}
    assert read_speeds(other) == {"evidence": 12.0}


def test_speeds_are_told_when_asked_for_alone(tmp_path: Path) -> None:
    recipe = labelled(tmp_path, "gate", "yard")
    gate, yard = items(recipe)
    known = read_speeds(gate)
    assert known.keys() == {"evidence", "masks"}
    keep_speeds(gate, 12, {"masks": 0.5})
    assert read_speeds(gate) == known | {"masks": 24.0}
    keep_speeds(gate, 12, {"evidence": 1.5, "masks": 0.5})
    page, data = reported(recipe, tmp_path / "a.html")
    assert "frames/s" not in page
    assert "speeds" not in data["videos"][0]
    next((tmp_path / "out" / "logs").glob("yard*.speeds.json")).write_text('{"evidence": "fast"}')
    page, data = reported(recipe, tmp_path / "b.html", speeds=True)
    assert data["videos"][0]["speeds"] == {"evidence": 8.0, "masks": 24.0}
    assert "speeds" not in data["videos"][1]
    assert '<td data-v="6.000000">6.0</td>' in page
    assert read_speeds(yard) == {}


@pytest.mark.parametrize("speed", ["0", "-1", "NaN", "Infinity", "1" + "0" * 400, "null"])
def test_numbers_that_are_no_speeds_are_not_told(tmp_path: Path, speed: str) -> None:
    item, path = unlabelled(tmp_path)
    path.write_text(f'{{"evidence": {speed}, "masks": 2}}')
    assert read_speeds(item) == {"masks": 2.0}


def test_a_pipe_in_place_of_the_speeds_is_not_waited_for(tmp_path: Path) -> None:
    item, path = unlabelled(tmp_path)
    os.mkfifo(path)
    assert read_speeds(item) == {}

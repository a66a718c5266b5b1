"""``spotlabel export masks`` as a user runs it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from spotlabel.pipeline.exports.staging import MAKING
from tests.helpers import exporting
from tests.helpers.recipes import leftovers, spotlabel, started


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exporting.labelled(tmp_path_factory.mktemp("exports"), "gate", "road")


def visible(to: Path) -> dict[str, bytes]:
    """Files of an export that are for others."""
    found = sorted(path for path in to.rglob("*") if path.is_file())
    names = {str(path.relative_to(to)): path for path in found}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(".")}


def pictures_in_the_making(to: Path) -> int:
    """Whatever is listed may go while it is listed."""
    return sum(name.endswith(".png") for _, _, names in os.walk(to / MAKING) for name in names)


def test_export_and_export_again(recipe: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    words = ("export", "masks", recipe, "--format", "yolo-seg", "--to", to, "--images", "link")
    planned = spotlabel(*words, "--dry-run")
    assert planned.returncode == 0
    assert planned.stdout.count("not exported yet") == 2
    assert not to.exists()
    done = spotlabel(*words, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "gate: polygons: mean IoU with the masks " in done.stdout
    assert "gate: 6 frames have further unknown pixels (ignore regions)" in done.stdout
    assert "gate: 2 frames of which nothing is known are left out" in done.stdout
    before = visible(to)
    assert len([name for name in before if name.endswith(".txt")]) == 12
    again = spotlabel(*words)
    assert again.stdout.startswith("nothing to do: 2 of 2 videos are up to date")
    assert visible(to) == before
    assert not leftovers(to)


def test_only_and_what_is_lacking(recipe: Path, tmp_path: Path) -> None:
    words = ("export", "masks", recipe, "--format", "coco", "--to", tmp_path / "to")
    done = spotlabel(*words, "--only", "road")
    assert done.returncode == 0, done.stderr
    assert "without 1 videos that are not whole and up to date: gate (not exported yet)" in done.stdout
    done = spotlabel(*words, "--only", "gate", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    videos = json.loads((tmp_path / "to/instances.json").read_text())["videos"]
    assert [row["name"] for row in videos] == ["gate", "road"]


def test_one_video_that_fails_stops_no_other(recipe: Path, tmp_path: Path) -> None:
    exporting.video(recipe.parent / "data", "yard")
    try:
        done = spotlabel("export", "masks", recipe, "--format", "png", "--to", tmp_path / "to")
    finally:
        for path in sorted((recipe.parent / "data/yard").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (recipe.parent / "data/yard").rmdir()
    assert done.returncode == 1
    assert "yard: FAILED: yard: has no masks" in done.stderr
    assert "1 of 3 videos failed" in done.stderr
    assert (tmp_path / "to/Annotations/road/00007.png").exists()


def test_the_former_spelling_of_the_detectors_export_is_told() -> None:
    done = spotlabel("export", "model.safetensors", "model.onnx", "--size", "540x960")
    assert done.returncode == 2
    assert "spotlabel export onnx model.safetensors model.onnx --size 540x960" in done.stderr


@pytest.mark.parametrize("form", ["png", "mots"])
def test_killed_at_any_moment_whole_or_nothing(tmp_path: Path, form: str) -> None:
    """Videos are there whole or not at all, and the next run comes to what an undisturbed one makes."""
    root = tmp_path / "data-of"
    exporting.video(root / "data", "gate", frames=200)
    exporting.label(exporting.recipe_tree(root), ("gate",))
    recipe = exporting.recipes.write(root / "recipe.yaml", exporting.recipe_tree(root))
    words = ("export", "masks", recipe, "--format", form, "--images", "copy", "--to")
    assert spotlabel(*words, tmp_path / "calm").returncode == 0
    wanted = visible(tmp_path / "calm")
    to = tmp_path / "to"
    for pictures in (1, 60, 150):
        with started(*words, to) as process:
            deadline = time.monotonic() + 300
            while pictures_in_the_making(to) < pictures and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.kill()
            process.wait()
        time.sleep(0.3)  # until its child has seen that it is alone
        assert visible(to) in ({}, wanted)
    assert spotlabel(*words, to).returncode == 0
    assert visible(to) == wanted
    assert not leftovers(to)
    assert not list((to / MAKING).glob("*"))

"""A sequence that cannot be listed is told by every command, by its name, and the others are made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.recipes import spotlabel, tree, video, write

PROBLEM = "two images have frame number 3: 000003.jpg and 3.jpg"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos a and c, and b with a number twice; labelled once."""
    root = tmp_path_factory.mktemp("bad")
    path = write(root / "r.yaml", tree(root / "data", root / "out", "a", "b", "c"))
    shutil.copy(root / "data/b/img1/000004.jpg", root / "data/b/img1/3.jpg")
    return path


def test_every_command_tells_it_and_none_counts_it_as_done(recipe: Path) -> None:
    out = recipe.parent / "out"
    dry = spotlabel("label", recipe, "--dry-run")
    assert dry.returncode == 1
    assert PROBLEM in " ".join(dry.stdout.split())
    planned = spotlabel("plan", recipe, "--json")
    assert planned.returncode == 1
    assert json.loads(planned.stdout)["all"]["videos"] == 2
    assert [
        line.startswith("b: ") and PROBLEM in line for line in json.loads(planned.stdout)["left_out"]
    ] == [True]

    made = spotlabel("label", recipe, "--json", "--jobs", "1")
    assert made.returncode == 1
    outcomes = {each["sequence"]: each for each in json.loads(made.stdout)}
    assert [*outcomes] == ["a", "b", "c"]
    assert outcomes["a"]["masks"] == outcomes["c"]["masks"] == "made"
    assert PROBLEM in outcomes["b"]["error"]
    assert "1 of 3 videos failed; the others are whole" in made.stderr
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["a.h5", "c.h5"]

    table = spotlabel("label", recipe, "--jobs", "1")
    assert table.returncode == 1
    assert "b: FAILED: " in table.stderr
    status = spotlabel("status", recipe, "--json")
    assert status.returncode == 1
    rows = {row["sequence"]: row["evidence"] for row in json.loads(status.stdout)}
    assert rows["a"] == rows["c"] == "fresh"
    assert rows["b"].startswith("UNUSABLE: ")
    assert "2 of 3 videos up to date, 0 need evidence, 0 need masks, 1 cannot be used" in (
        spotlabel("status", recipe).stdout
    )
    handed_in = spotlabel("submit", recipe, "--local")
    assert handed_in.returncode == 1
    assert f"b: FAILED, not handed in: {recipe.parent / 'data/b/img1'}: {PROBLEM}" in handed_in.stderr
    shown = spotlabel("show", recipe, "--count", "1")
    assert shown.returncode == 1
    assert PROBLEM in shown.stderr


def test_nobody_waits_for_it(recipe: Path) -> None:
    spotlabel("label", recipe, "--jobs", "1", "--quiet")
    shares = [spotlabel("label", recipe, "--shard", f"{n}/3", "--wait", "600") for n in (1, 2, 3)]
    assert [share.returncode for share in shares] == [1, 1, 1]
    assert sum(f"b: {recipe.parent / 'data/b/img1'}: {PROBLEM}" in share.stderr for share in shares) == 2
    assert sum("b: FAILED: " in share.stderr for share in shares) == 1


def test_it_is_made_once_it_is_mended(recipe: Path, tmp_path: Path) -> None:
    video(tmp_path / "data", "b")
    (tmp_path / "data/b/seqinfo.ini").write_text("[Sequence]\nseqLength=many\n")
    content = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "b"))
    failed = spotlabel("label", content)
    assert failed.returncode == 1
    assert "seqLength is 'many', expected a whole number" in failed.stderr
    (tmp_path / "data/b/seqinfo.ini").unlink()
    assert spotlabel("label", content).returncode == 0


def test_a_selection_of_nothing_is_told(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    done = spotlabel("label", recipe, "--set", "masks.classes=[bicycle]", "--json")
    (outcome,) = json.loads(done.stdout)
    assert "masks.classes=[bicycle] selects none of the boxes, which are: car" in outcome["remarks"]

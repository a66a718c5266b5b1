"""Sequence names that would act on a terminal: no command prints one raw."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.recipes import spotlabel, tree, video, write

NAME = "=cam\x1b[2J\n\u202eok"
SHOWN = r"=cam\x1b[2J\n\u202eok"


def quiet(text: str) -> bool:
    """Nothing in the text acts on a terminal."""
    return text.replace("\n", "").replace("\t", "").isprintable()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    video(root / "data", NAME, 6)
    made = write(root / "r.yaml", tree(root / "data", root / "out", length=6))
    done = spotlabel("label", made)
    assert done.returncode == 0, done.stderr
    assert SHOWN in done.stdout + done.stderr
    assert quiet(done.stdout), done.stdout
    assert quiet(done.stderr), done.stderr
    shutil.copytree(root / "out", root / "other")
    return made


@pytest.mark.parametrize(
    "words",
    [
        ("status",), ("plan",), ("quality",), ("label", "--dry-run"), ("label",), ("show", "--frames", "2"),
        ("verify", "stores"), ("report",), ("why", NAME), ("status", "--json"),
        ("label", "--set", f"x{NAME}=1"), ("compare",),
    ],
    ids=lambda words: " ".join(words).encode("unicode_escape").decode(),
)  # fmt: skip
def test_no_command_prints_a_raw_name(recipe: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    first = [words[0]] if words[0] != "verify" else list(words[:2])
    rest = [word for word in words if word not in first]
    other = f"out={recipe.parent / 'other'}"
    more = [recipe, "--set-b", other, "--out", tmp_path / "c"] if words[0] == "compare" else []
    done = spotlabel(*first, recipe, *more, *rest)
    assert "Traceback" not in done.stderr
    assert "No such option" not in done.stderr
    assert done.stdout + done.stderr
    assert quiet(done.stdout), done.stdout
    assert quiet(done.stderr), done.stderr
    if words[0] == "compare":
        with (tmp_path / "c" / "boxes.csv").open(newline="", encoding="utf-8") as file:
            names = {row["sequence"] for row in csv.DictReader(file)}
        assert names == {f"'{SHOWN}"}
        assert "share of the boxes' pixels" in done.stdout
    if "--json" in words:
        assert json.loads(done.stdout)[0]["sequence"] == NAME

"""What of a recipe has no effect on the videos at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.upkeep.notes import notes
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import tree

LEARNED = "preset: learned has no effect: the recipe itself names the labeler (mog2), which comes first"
PER = "students.per is set and has no effect: no labeler of these videos has a student (mog2)"
CAMERA = "students.camera is set and has no effect: students.per is video, not camera"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, []),
        ({"preset": "default"}, []),
        ({"preset": "learned"}, [LEARNED]),
        ({"preset": "learned", "labeler": None}, []),
        ({"preset": "learned", "labeler": {"moving": "mog2"}}, []),
        ({"students": {"per": "dataset"}}, [PER]),
        ({"students": {"camera": "(a)"}, "labeler": "boxbg-student"}, [CAMERA]),
        ({"students": {"per": "dataset"}, "labeler": "boxbg-student"}, []),
        ({"students": {"per": "camera", "camera": "(a)"}, "labeler": "boxbg-student"}, []),
    ],
)
def test_what_has_no_effect_is_told(tmp_path: Path, said: dict[str, Any], expected: list[str]) -> None:
    recipe = build_recipe({**tree(tmp_path / "data", tmp_path / "out", "a", length=2), **said})
    assert notes(recipe, items(recipe)) == expected

"""Reports of small labelled videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spotlabel.pipeline.pages.report.make import make_report
from spotlabel.pipeline.pages.report.write import Asked
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import tree


def labelled(root: Path, *names: str, length: int = 12, **more: Any) -> Recipe:
    """Small videos with masks, in this process."""
    recipe = build_recipe(tree(root / "data", root / "out", *names, length=length, **more))
    relabelled(recipe)
    return recipe


def relabelled(recipe: Recipe) -> None:
    """Bring all masks of a recipe up to date."""
    for sequence in recipe.sequences():
        outcome = run_sequence(recipe, sequence.name, False, lambda *_: None)
        assert not outcome.failed, outcome.error


def reported(recipe: Recipe, target: Path, **asked: Any) -> tuple[str, dict[str, Any]]:
    """The page and its JSON twin."""
    options = Asked(**{"title": "Labels", "commands": ("spotlabel label r.yaml",), **asked})
    make_report(recipe, items(recipe), target, options)
    return target.read_text(encoding="utf-8"), json.loads(
        target.with_suffix(".json").read_text(encoding="utf-8")
    )

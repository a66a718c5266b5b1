"""Corrections of a recipe's videos in words, for ``manual list`` and ``status``."""

from __future__ import annotations

from spotlabel.pipeline.errors import DatasetError, SpotlabelError
from spotlabel.pipeline.manual import Fitted
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.standing import standing
from spotlabel.pipeline.terminal import echo
from spotlabel.pipeline.upkeep.plan import Item


def all_standing(recipe: Recipe, chosen: list[Item]) -> tuple[dict[str, Fitted], bool]:
    """Corrections of each video that has some; and whether those of one cannot be told."""
    found, failed = {}, False
    for item in chosen:
        if not item.manual_path.exists():
            continue
        name = item.sequence.name
        try:
            if item.sequence.problem:
                raise DatasetError(item.sequence.problem)
            found[name] = standing(recipe, item)
        except (SpotlabelError, OSError) as error:
            echo(f"{name}: {error}", err=True)
            failed = True
    return found, failed


def standing_lines(found: dict[str, Fitted]) -> list[str]:
    """A line for each video that has corrections: how many, and how many do not apply."""
    return [
        f"{name}: {len(fitted.applied) + len(fitted.left)} corrections by hand"
        + (f", {len(fitted.left)} do not apply ({fitted.lacking})" if fitted.left else "")
        for name, fitted in found.items()
    ]

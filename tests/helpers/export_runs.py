"""Exports of one video in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.stage import export_video, why_export
from spotlabel.pipeline.inputs import watching_inputs
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.upkeep.plan import Item, one_item
from tests.helpers.exporting import CLASSES


def asked(form: str = "coco", **options: Any) -> ExportOptions:
    return ExportOptions(format=form, classes=CLASSES, **options)


def opened(root: Path) -> tuple[Recipe, Item]:
    recipe = load_recipe(str(root / "recipe.yaml"))
    return recipe, one_item(recipe, "gate")


def export(root: Path, to: Path, options: ExportOptions) -> None:
    recipe, item = opened(root)
    with watching_inputs():
        export_video(recipe, item, options, to, lambda *_: None)


def why(root: Path, to: Path, options: ExportOptions) -> str:
    recipe, item = opened(root)
    return why_export(recipe, item, options, to)


def files(to: Path) -> dict[str, bytes]:
    """Everything in an export but remembered digests, which hold times."""
    return {
        str(path.relative_to(to)): path.read_bytes()
        for path in sorted(to.rglob("*"))
        if path.is_file() and path.suffix != ".digests"
    }

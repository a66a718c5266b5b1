"""``spotlabel show``: pictures of what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spotlabel.pipeline.cli.options import recipe_options
from spotlabel.pipeline.errors import DatasetError, SpotlabelError, StoreError
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.pictures.render import Look, render_item
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.terminal import echo
from spotlabel.pipeline.upkeep.labelled import stale_masks
from spotlabel.pipeline.upkeep.plan import items


def _frame_numbers(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(f"expected frame numbers like 12,40,95, found {text!r}") from error


@click.command()
@recipe_options
@click.option(
    "--frames",
    default="",
    metavar="N,N,...",
    callback=_frame_numbers,
    help="Frame numbers to show; default: evenly spread.",
)
@click.option(
    "--count",
    default=6,
    show_default=True,
    type=click.IntRange(1, 100),
    help="How many frames, if none are named.",
)
@click.option(
    "--panel-width",
    default=480,
    show_default=True,
    type=click.IntRange(64, 3840),
    help="Width of a contact sheet's panels in pixels.",
)
@click.option("--to", type=click.Path(path_type=Path), help="Output folder; default: <out>/show.")
def show(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], **look: Any) -> None:
    """Draw masks over frames: one PNG per frame and a contact sheet per video.

    Sheet columns: the image with its boxes, the evidence, the mask (each object in a colour of
    its own, the same along its track; striped: unknown).

    \b
    Examples:
      spotlabel show workflows/ua-detrac.yaml --only MVI_40201 --count 8
      spotlabel show my-cameras.yaml --frames 120,480 --to pictures
    """
    loaded = load_recipe(recipe, overrides)
    root = look["to"] or loaded.out / "show"
    chosen = Look(look["frames"], look["count"], look["panel_width"])
    failed = False
    for item in items(loaded, only):
        try:
            if item.sequence.problem:
                raise DatasetError(item.sequence.problem)
            if not item.mask_path.exists():
                raise StoreError("no masks yet; run `spotlabel label` first")
            sheet = render_item(item, root / file_stem(item.sequence.name), chosen)
            echo(f"{item.sequence.name}: {sheet}")
            if why := stale_masks(loaded, item):
                echo(f"{item.sequence.name}: these are not the masks that {recipe} asks for: {why}", err=True)
        except (SpotlabelError, OSError) as error:
            echo(f"{item.sequence.name}: {error}", err=True)
            failed = True
    if failed:
        click.get_current_context().exit(1)

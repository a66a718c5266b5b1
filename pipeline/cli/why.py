"""``spotlabel why``: where a mask comes from, and why it is as it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from spotlabel.pipeline.cli.options import console
from spotlabel.pipeline.cli.why_text import boxes_table, facts_table, origin_table
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.terminal import echo_lines
from spotlabel.pipeline.why.boxes import box_index, checked, frame_boxes
from spotlabel.pipeline.why.origin import find_origin
from spotlabel.pipeline.why.summary import as_data, box_lines, frame_lines, origin_lines, store_lines


@click.command()
@click.argument("store", type=click.Path(path_type=Path), metavar="STORE")
@click.argument("frame", type=int, required=False, metavar="[FRAME]")
@click.argument("box", required=False, metavar="[BOX]")
@click.option("--recipe", metavar="RECIPE", help="Say whether this recipe would make the masks again.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of that recipe.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON on standard output.")
def why(  # noqa: PLR0917 - one argument per option
    store: Path,
    frame: int | None,
    box: str | None,
    recipe: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say where a mask comes from, and why it is as it is.

    STORE is a mask store, FRAME a frame number, BOX an index in that frame or track:ID. Without BOX, the
    boxes of the frame are listed; without FRAME, the store is summed up. With BOX or without FRAME there
    follows what the masks were made from: they are stale as soon as any of it changes.

    \b
    Examples:
      spotlabel why runs/demo/masks/street.h5 32 track:1082
      spotlabel why runs/demo/masks/street.h5 32 10 --recipe demo --set masks.min_fill=0.1
    """
    if overrides and recipe is None:
        raise RecipeError("--set changes the recipe given by --recipe, and there is none")
    masks = checked(MaskReader(store))
    index = None if frame is None else masks.index_of(frame)
    chosen = None if index is None or box is None else box_index(masks, index, box)
    boxes = [] if index is None else frame_boxes(masks, index)
    traced = find_origin(masks, load_recipe(recipe, overrides) if recipe else None)
    if as_json:
        shown = boxes if chosen is None else [boxes[chosen]]
        echo_lines(json.dumps(as_data(masks, index, shown, traced), indent=1))
        return
    out = console(sys.stdout)
    lines = store_lines(masks) if index is None else frame_lines(masks, index)
    lines += box_lines(boxes[chosen]) if chosen is not None else []
    out.print(facts_table(lines + origin_lines(traced)))
    out.print()
    if index is not None and chosen is None:
        out.print(boxes_table(boxes))
    else:
        out.print(origin_table(masks, traced))

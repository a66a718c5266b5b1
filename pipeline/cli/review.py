"""``spotlabel review``: doubtful boxes one by one, decided by a person."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.audit.proposal import proposal_path, read_proposal
from spotlabel.pipeline.cli.tune import page_options, serve_page
from spotlabel.pipeline.errors import RecipeError, SpotlabelError, one_sentence
from spotlabel.pipeline.pages.review.app import Review
from spotlabel.pipeline.pages.review.disagreement import MOST_FRAMES, OF_A_VIDEO, disagreement
from spotlabel.pipeline.pages.review.queue import COUNT, doubtful, from_list, stratified
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.terminal import echo
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.plan import Item, items


@click.command()
@page_options
@click.option(
    "--count", type=click.IntRange(min=1), default=COUNT, show_default=True, help="Boxes to ask about."
)
@click.option(
    "--proposed", is_flag=True, help="The boxes that `spotlabel audit --propose` has drawn, in their order."
)
def review(  # noqa: PLR0917 - one argument per option
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    port: int,
    no_browser: bool,
    count: int,
    proposed: bool,
) -> None:
    """Go through doubtful boxes on a page, a key each.

    Every decision stands in the correction layer before the next box is shown; the next `relabel` puts them
    into the masks. Started again, the page goes on where it was.

    \b
    Examples:
      spotlabel review my-cameras.yaml
      spotlabel review my-cameras.yaml --only gate-3 --count 50
      spotlabel audit my-cameras.yaml --propose 200 && spotlabel review my-cameras.yaml --proposed
    """
    loaded = load_recipe(recipe, overrides)
    chosen = items(loaded, only)
    masks = _masks(chosen)
    if proposed:
        drawn = read_proposal(proposal_path(loaded.out))
        if drawn is None:
            raise RecipeError(
                f"{proposal_path(loaded.out)}: is not there; run `spotlabel audit --propose {count}`"
            )
        named = {
            item.sequence.name: (place, masks[place]) for place, item in enumerate(chosen) if place in masks
        }
        queue = from_list(((box.video, box.key) for box in drawn.boxes), named)
    else:
        frames = max(1, min(OF_A_VIDEO, MOST_FRAMES // max(1, len(masks))))
        apart = {place: _apart(loaded, chosen[place], frames) for place in masks}
        queue = stratified((doubtful(place, reader, apart[place]) for place, reader in masks.items()), count)
    for reader in masks.values():
        reader.close()
    if not queue:
        raise RecipeError(f"{loaded.out}: no box to ask about: no masks, or none that is doubtful")
    page = Review(one_line(Path(recipe).stem), loaded, chosen, queue)
    serve_page("review", port, page.routes, page.close, no_browser=no_browser)


def _apart(recipe: Recipe, item: Item, frames: int) -> npt.NDArray[np.float64] | None:
    """How little labelers agree; None where that cannot be told, which the page itself then says."""
    try:
        return disagreement(recipe, item, frames)
    except (SpotlabelError, OSError):
        return None


def _masks(chosen: list[Item]) -> dict[int, MaskReader]:
    """Masks by the place of their video; videos without are told."""
    found = {}
    for place, item in enumerate(chosen):
        try:
            found[place] = MaskReader(item.mask_path)
            assert found[place].boxes is not None
        except (SpotlabelError, OSError) as error:
            found.pop(place, None)
            echo(f"{item.sequence.name}: left out: {one_sentence(error)}", err=True)
    return found

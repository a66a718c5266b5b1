"""``spotlabel review``: doubtful boxes one by one, decided by a person."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import get_args

import click
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.audit.proposal import Proposal, proposal_path, read_proposal
from spotlabel.pipeline.cli.tune import page_options, serve_page
from spotlabel.pipeline.errors import RecipeError, SpotlabelError, one_sentence
from spotlabel.pipeline.pages.review.app import Review
from spotlabel.pipeline.pages.review.disagreement import MOST_FRAMES, OF_A_VIDEO, disagreement
from spotlabel.pipeline.pages.review.handed import LIST, Handed, ImageMode, hand_over
from spotlabel.pipeline.pages.review.queue import (
    COUNT,
    Asked,
    boxes_by_key,
    doubtful,
    from_list,
    stratified,
)
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
@click.option("--export", "form", type=click.Choice(["cvat"]),
              help="Open no page: write the same boxes as files for another tool.")  # fmt: skip
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Where --export writes: a folder that is not there yet.")  # fmt: skip
@click.option("--images", default="copy", show_default=True, type=click.Choice(get_args(ImageMode)),
              help="With --export: bring the frames along.")  # fmt: skip
def review(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    port: int,
    no_browser: bool,
    count: int,
    proposed: bool,
    form: str | None,
    to: Path | None,
    images: ImageMode,
) -> None:
    """Go through doubtful boxes on a page, a key each.

    Every decision stands in the correction layer before the next box is shown; the next `relabel` puts them
    into the masks. Started again, the page goes on where it was.

    \b
    Examples:
      spotlabel review my-cameras.yaml
      spotlabel review my-cameras.yaml --only gate-3 --count 50
      spotlabel audit my-cameras.yaml --propose 200 && spotlabel review my-cameras.yaml --proposed
      spotlabel review my-cameras.yaml --export cvat --to for-cvat
    """
    if (form is None) != (to is None):
        raise click.UsageError("--export and --to go together: --export cvat --to FOLDER")
    loaded = load_recipe(recipe, overrides)
    chosen = items(loaded, only)
    sample = _sample(loaded, count) if proposed else None
    queue = _doubtful(loaded, chosen, count) if sample is None else _drawn(sample, chosen)
    if not queue:
        raise RecipeError(f"{loaded.out}: no box to ask about: no masks, or none that is doubtful")
    if to is not None:
        _tell_handed(hand_over(loaded, chosen, queue, to, images), to)
        return
    page = Review(one_line(Path(recipe).stem), loaded, chosen, queue, sample)
    serve_page("review", port, page.routes, page.close, no_browser=no_browser)


def _tell_handed(handed: Handed, to: Path) -> None:
    if handed.decided:
        echo(f"{handed.decided} boxes are decided already and left out")
    if handed.bare:
        echo(f"{handed.bare} boxes have no pixel, which no shape of CVAT can say: in the list alone")
    if handed.nameless:
        echo(
            f"{handed.nameless} masks are of boxes without a track, which CVAT's format cannot name: they "
            "come back only where they reach their box's edges; `export masks --format coco` names them",
            err=True,
        )
    for file in handed.files:
        echo(f"cvat: {file}")
    echo(f"{handed.boxes} boxes in {handed.images} frames, in the order of {to / LIST}")
    echo("when they are decided: spotlabel import masks RECIPE FILE --format cvat")
    echo("without --absent: the other boxes of these frames are not in the files")


def _sample(recipe: Recipe, count: int) -> Proposal:
    path = proposal_path(recipe.out)
    drawn = read_proposal(path)
    if drawn is None:
        raise RecipeError(f"{path}: is not there; run `spotlabel audit --propose {count}`")
    return drawn


def _drawn(drawn: Proposal, chosen: list[Item]) -> list[Asked]:
    """The boxes of the proposal; those that no masks have now are told."""
    names = {item.sequence.name for item in chosen}
    boxes = [(box.video, box.key) for box in drawn.boxes if box.video in names]
    named = {video for video, _ in boxes}
    rows = {chosen[place].sequence.name: boxes_by_key(place, masks) for place, masks in _masks(chosen, named)}
    queue = from_list(boxes, rows)
    if gone := len(boxes) - len(queue):
        echo(
            f"{gone} of {len(boxes)} drawn boxes are left out: no masks have them now, or nothing tells them "
            "from others of their frames",
            err=True,
        )
    return queue


def _doubtful(recipe: Recipe, chosen: list[Item], count: int) -> list[Asked]:
    """Doubtful boxes of all videos."""
    frames = max(1, min(OF_A_VIDEO, MOST_FRAMES // max(1, len(chosen))))
    found = (doubtful(place, masks, _apart(recipe, chosen[place], frames)) for place, masks in _masks(chosen))
    return stratified(found, count)


def _apart(recipe: Recipe, item: Item, frames: int) -> npt.NDArray[np.float64] | None:
    """How little labelers agree; None where that cannot be told, which the page itself then says."""
    try:
        return disagreement(recipe, item, frames)
    except (SpotlabelError, OSError):
        return None


def _masks(chosen: list[Item], names: Container[str] | None = None) -> Iterator[tuple[int, MaskReader]]:
    """Place and masks of the named videos, or of all, one open at a time; videos without are told."""
    for place, item in enumerate(chosen):
        if names is not None and item.sequence.name not in names:
            continue
        reader = MaskReader(item.mask_path)
        try:
            assert reader.boxes is not None
        except (SpotlabelError, OSError) as error:
            echo(f"{item.sequence.name}: left out: {one_sentence(error)}", err=True)
            continue
        yield place, reader
        reader.close()

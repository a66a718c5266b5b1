"""``spotlabel audit``: how good made masks are, by what people corrected."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from spotlabel.pipeline.audit.figures import Audit, audit
from spotlabel.pipeline.audit.judged import Judged, judged_boxes
from spotlabel.pipeline.audit.proposal import (
    Population,
    Proposal,
    proposal_path,
    propose,
    read_proposal,
    write_proposal,
)
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.manual import read_manual
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.upkeep.labelled import check_labelled
from spotlabel.pipeline.upkeep.plan import Item, items


@click.command("audit")
@recipe_options
@click.option("--propose", "count", type=click.IntRange(min=1), metavar="N",
              help="Draw a random sample of N boxes for people to decide, and measure nothing.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of that draw.")
@click.option("--replace", is_flag=True, help="Draw anew though some of the last sample was decided.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON on standard output.")
def audit_command(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    count: int | None,
    seed: int,
    replace: bool,
    as_json: bool,
) -> None:
    """Say how good the made masks are: their mean IoU with what people drew, with a 95 % interval.

    First draw a sample (--propose) and let people decide its boxes, also those that are right: a figure for
    all masks follows from a random sample alone. Boxes that people chose themselves are told apart. Masks are
    made again by the rules for this, without the corrections, so the evidence has to be there.

    \b
    Examples:
      spotlabel audit my-cameras.yaml --propose 200
      spotlabel audit my-cameras.yaml
    """
    loaded = load_recipe(recipe, overrides)
    chosen = items(loaded, only)
    path = proposal_path(loaded.out)
    if count is not None:
        if as_json:
            raise click.UsageError("--json is for figures; a sample is written as JSON in any case")
        _check_replaced(path, items(loaded), replace)
        made = propose((_population(loaded, item) for item in chosen), count, seed)
        write_proposal(path, made)
        _tell_proposal(made, path)
        return
    proposal = read_proposal(path)
    judged = [one for item in chosen if item.manual_path.exists() for one in _judged(loaded, item)]
    found = audit(judged, proposal)
    if proposal is not None and not {box.video for box in proposal.boxes} <= {
        item.sequence.name for item in chosen
    }:
        echo("the sample has boxes of other videos, too: these figures are not of all masks", err=True)
    if as_json:
        echo_lines(json.dumps(_as_data(found), indent=1))
    else:
        _tell(found)


def _judged(recipe: Recipe, item: Item) -> list[Judged]:
    if item.sequence.problem:
        raise SpotlabelError(f"{item.sequence.name}: {item.sequence.problem}")
    return judged_boxes(recipe, item, lambda _done, _total: None)


def _population(recipe: Recipe, item: Item) -> Population:
    check_labelled(recipe, item)
    masks = MaskReader(item.mask_path, sealed=True)
    try:
        return Population.of(masks)
    finally:
        masks.close()


def _check_replaced(path: Path, every: list[Item], replace: bool) -> None:
    """A sample that people have begun to work through is not lost by chance."""
    known = read_proposal(path)
    if known is None or replace:
        return
    decided = sum(
        key in read_manual(item.manual_path) for item in every for key in known.of(item.sequence.name)
    )
    if decided:
        raise SpotlabelError(
            f"{path}: {decided} of its {len(known.boxes)} boxes are decided; --replace draws another sample, "
            "of which these are no part"
        )


def _tell_proposal(made: Proposal, path: Path) -> None:
    shown = table("class", "size", "believability", "boxes", "drawn", numbers=("boxes", "drawn"))
    for stratum in made.strata:
        kind = (stratum.class_name, stratum.size, stratum.believability)
        shown.add_row(*map(escape, kind), str(stratum.boxes), str(stratum.drawn))
    console(sys.stdout).print(shown)
    total = sum(stratum.boxes for stratum in made.strata)
    echo(f"{len(made.boxes)} of {total} boxes: {path}, and as a table {path.with_suffix('.tsv')}")


def _tell(found: Audit) -> None:
    if not found.estimates:
        echo(
            "no figure for the dataset: "
            + ("none of the sample's boxes can be compared yet" if found.proposed else
               "no sample was drawn (`spotlabel audit RECIPE --propose 200`)")
        )  # fmt: skip
    else:
        shown = table("masks", "boxes", "mean IoU", "95 %", numbers=("boxes", "mean IoU", "95 %"))
        for one in found.estimates:
            shown.add_row(
                escape(one.name), str(one.boxes), f"{one.mean:.3f}", f"{one.low:.3f}-{one.high:.3f}"
            )
        console(sys.stdout).print(shown)
    if found.proposed:
        echo(
            f"sample: {found.decided} of {found.proposed} boxes decided, {found.cannot_tell} of them nobody "
            f"can tell, {found.not_made} have no made mask; their kinds are {found.covered:.0%} of all boxes"
        )
    if found.estimates and found.decided < found.proposed:
        echo(
            "the figures hold only if right boxes were decided as wrong ones were: `import masks --confirm`, "
            "or accept them in a review"
        )
    if math.isfinite(found.spearman):
        echo(f"believability and IoU: rank correlation {found.spearman:.2f}")
    if math.isfinite(found.auc):
        echo(f"of a mask with IoU from 0.8 and one below, the better is more believable in {found.auc:.0%}")
    if found.chosen:
        echo(
            f"{found.chosen} further boxes that people chose to correct: mean IoU {found.chosen_mean:.3f}, "
            "which says nothing about the others"
        )


def _as_data(found: Audit) -> dict[str, Any]:
    data = asdict(found)
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in data.items()
    }

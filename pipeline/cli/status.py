"""``spotlabel status``."""

from __future__ import annotations

import json
import sys

import click

from spotlabel.pipeline.cli.options import console, recipe_options, shard_option
from spotlabel.pipeline.cli.plans import plan_row, plan_table
from spotlabel.pipeline.cli.standing import all_standing, standing_lines
from spotlabel.pipeline.cli.teaching import ahead_of, bounds
from spotlabel.pipeline.manual import Fitted
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.terminal import echo, echo_lines
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.notes import notes
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_items
from spotlabel.pipeline.upkeep.shards import Shard, share_of


@click.command()
@recipe_options
@shard_option
@click.option("--deep", is_flag=True, help="Read every file again, not only those whose times changed.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON on standard output.")
def status(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    shard: Shard | None,
    *,
    deep: bool,
    as_json: bool,
) -> None:
    """Say how every video stands: fresh, missing, stale (and why), damaged. Changes nothing.

    The files alone tell, whoever made them: shards and hosts that worked or still work need not be asked.

    Files that have not changed by their times are not read again: what rots on a disk below them is found by
    --deep, and by whatever reads the store. `spotlabel label --set verify=full` makes it again.

    Where small networks have to be taught (preset learned), a line says how much that is at most.

    Videos with corrections by hand have a line that says how many do not apply any more.

    Exit code 0 if everything is up to date, 1 if `spotlabel label` would have something to do.

    \b
    Examples:
      spotlabel status workflows/ua-detrac.yaml --set data=/data/UA-DETRAC
      spotlabel status my-cameras.yaml --shard 2/4
      spotlabel status my-cameras.yaml --deep
    """
    loaded = load_recipe(recipe, (*overrides, "verify=full") if deep else overrides)
    plans = plan_items(loaded, share_of(items(loaded, only), shard))
    by_hand, _ = all_standing(loaded, [plan.item for plan in plans])
    if as_json:
        echo_lines(json.dumps([plan_row(plan) | _manual(plan, by_hand) for plan in plans], indent=1))
    else:
        console(sys.stdout).print(plan_table(plans))
        fresh = sum(plan.idle for plan in plans)
        for line in [*notes(loaded, [plan.item for plan in plans]), *bounds(ahead_of(loaded, plans))]:
            echo(line)
        for line in standing_lines(by_hand):
            echo(line)
        share = f"shard {shard}: " if shard else ""
        echo(f"{share}{fresh} of {len(plans)} videos up to date, {_counts(plans)}")
    sys.exit(0 if all(plan.idle for plan in plans) else 1)


def _manual(plan: Plan, by_hand: dict[str, Fitted]) -> dict[str, int]:
    """Numbers of a video's corrections; nothing if it has none."""
    found = by_hand.get(plan.item.sequence.name)
    if found is None:
        return {}
    return {"manual": len(found.applied) + len(found.left), "manual_left": len(found.left)}


def _counts(plans: list[Plan]) -> str:
    evidence = sum(plan.evidence.state != State.FRESH for plan in plans)
    masks = sum(plan.masks.state != State.FRESH for plan in plans)
    unusable = sum(bool(plan.problem) for plan in plans)
    told = f", {unusable} cannot be used" if unusable else ""
    return f"{evidence - unusable} need evidence, {masks - unusable} need masks{told}"

"""Waiting for what other processes, on other hosts, are making: the files alone tell."""

from __future__ import annotations

from collections.abc import Callable

from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.polling import poll
from spotlabel.pipeline.upkeep.groups import looked_at_once
from spotlabel.pipeline.upkeep.plan import Item, Plan, plan_item


def wait_for(recipe: Recipe, videos: list[Item], seconds: float, tell: Callable[[str], None]) -> list[Plan]:
    """Wait until every video is up to date, or the time is over.

    A video that was seen up to date is not looked at again; one that cannot be listed is not waited for.

    Args:
        recipe: the recipe.
        videos: all that shall be up to date.
        seconds: how long to wait at most; 0 looks once.
        tell: given a line of progress now and then.

    Returns:
        Plans of the videos that are still not up to date; empty when all are.
    """
    waited_for = videos

    @looked_at_once()
    def missing() -> list[Plan]:
        nonlocal waited_for
        plans = [plan for plan in (_look(recipe, item) for item in waited_for) if not plan.idle]
        waited_for = [plan.item for plan in plans]
        return plans

    def hopeless(plans: list[Plan]) -> bool:
        return all(plan.item.sequence.problem for plan in plans)  # none is left, or none that can be made

    return poll(missing, hopeless, lambda plans: _line(plans, len(videos)), seconds, tell)


def _look(recipe: Recipe, item: Item) -> Plan:
    item.cache.reread()  # whoever made it has hashed its frames: no need to read them here too
    return plan_item(recipe, item)


def _line(missing: list[Plan], videos: int) -> str:
    names = ", ".join(plan.item.sequence.name for plan in missing[:3])
    more = ", ..." if len(missing) > 3 else ""
    done = f"{videos - len(missing)} of {videos} videos up to date"
    return f"waiting for others: {done}, missing {names}{more}"

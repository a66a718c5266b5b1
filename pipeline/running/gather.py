"""Waiting for what other processes, on other hosts, are making: the files alone tell."""

from __future__ import annotations

import time
from collections.abc import Callable

from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.upkeep.plan import Item, Plan, plan_item

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_SECONDS_BETWEEN_LINES = 60.0


def wait_for(recipe: Recipe, found: list[Item], seconds: float, tell: Callable[[str], None]) -> list[Plan]:
    """Wait until every video is up to date, or the time is over.

    A video that was seen up to date is not looked at again.

    Args:
        recipe: the recipe.
        found: its videos.
        seconds: how long to wait at most; 0 looks once.
        tell: given a line of progress now and then.

    Returns:
        Plans of the videos that are still not up to date; empty when all are.
    """
    end, pause, told = time.monotonic() + seconds, _FIRST_PAUSE, (-1, 0.0)
    missing = [_look(recipe, item) for item in found]
    while missing := [plan for plan in missing if not plan.idle]:
        now = time.monotonic()
        if now >= end:
            return missing
        if len(missing) != told[0] or now - told[1] >= _SECONDS_BETWEEN_LINES:
            told = len(missing), now
            tell(_line(missing, len(found), end - now))
        time.sleep(min(pause, end - now))
        pause = min(_LONGEST_PAUSE, pause * 1.5)
        missing = [_look(recipe, plan.item) for plan in missing]
    return []


def _look(recipe: Recipe, item: Item) -> Plan:
    item.cache.reread()  # whoever made it has hashed its frames: no need to read them here too
    return plan_item(recipe, item)


def _line(missing: list[Plan], videos: int, seconds: float) -> str:
    names = ", ".join(plan.item.sequence.name for plan in missing[:3])
    more = ", ..." if len(missing) > 3 else ""
    done = f"{videos - len(missing)} of {videos} videos up to date"
    return f"waiting for others: {done}, {seconds:.0f} s left; missing {names}{more}"

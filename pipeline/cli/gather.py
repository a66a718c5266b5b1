"""``--wait``: a run that does its share and then sees to it that the others do theirs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.gather import wait_for
from spotlabel.pipeline.terminal import echo
from spotlabel.pipeline.upkeep.plan import Item

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DAY = 86400.0


class _Seconds(click.ParamType[float]):
    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds >= 0; what else stands there is most likely RECIPE."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            self.fail(f"expected seconds, found {value!r}; RECIPE goes before --wait", param, ctx)
        return seconds


def wait_option(text: str) -> Callable[[_Command], _Command]:
    """``--wait [SECONDS]``: None where it is not given, a day where no number is."""
    return click.option(
        "--wait", type=_Seconds(), is_flag=False, flag_value=_DAY, default=None, metavar="[SECONDS]",
        help=f"{text}; fail after SECONDS (a day, if you do not say).",
    )  # fmt: skip


def check_wait(wait: float | None, dry_run: bool) -> None:
    """Refuse to wait where nothing is started.

    Raises:
        click.UsageError: both are asked for.
    """
    if wait is not None and dry_run:
        raise click.UsageError("--wait and --dry-run do not go together: a dry run starts nothing")


def gather(recipe: Recipe, videos: list[Item], seconds: float, quiet: bool) -> None:
    """Wait for all videos; exit code 1, with every missing video and its reason, if the time runs out."""
    missing = wait_for(recipe, videos, seconds, lambda line: None if quiet else echo(line, err=True))
    if not missing:
        if not quiet:
            echo(f"all {len(videos)} videos are up to date in {recipe.out}", err=True)
        return
    for plan in missing:
        reason = plan.problem or f"evidence {plan.evidence}, masks {plan.masks}"
        echo(f"{plan.item.sequence.name}: {reason}", err=True)
    echo(
        f"{len(missing)} of {len(videos)} videos are not up to date after {seconds:.0f} s; "
        "run `spotlabel label` for them, or wait longer (--wait)",
        err=True,
    )
    sys.exit(1)

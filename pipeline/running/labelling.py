"""Label the videos of a recipe on this machine, from Python: what ``spotlabel label`` and ``relabel`` do."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.errors import DamagedStoreError, SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import check_writable, run_all, usable_cores
from spotlabel.pipeline.running.order import longest_first
from spotlabel.pipeline.running.watcher import Watcher
from spotlabel.pipeline.stages.corrected import left_words
from spotlabel.pipeline.stages.second_look import second_look
from spotlabel.pipeline.stages.standing import standing
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.notes import notes
from spotlabel.pipeline.upkeep.plan import Item, Plan, items, plan_items

_log = logging.getLogger("spotlabel")


class LabellingError(SpotlabelError):
    """Videos failed; those that did not are whole.

    Attributes:
        outcomes: of all videos, the failed ones with their ``error``.
    """

    def __init__(self, outcomes: list[Outcome]) -> None:
        failed = [outcome for outcome in outcomes if outcome.failed]
        first = f"{failed[0].sequence}: {failed[0].error}"
        super().__init__(f"{len(failed)} of {len(outcomes)} videos failed; the first: {first}")
        self.outcomes = outcomes


def label(
    recipe: Recipe,
    *,
    only: Iterable[str] = (),
    jobs: int | None = None,
    watcher: Watcher | None = None,
    strict: bool = False,
) -> list[Outcome]:
    """Bring evidence and masks of a recipe's videos up to date, each video in a process of its own.

    What is up to date is left alone. Stopped at any moment, the same call goes on where it was.

    Args:
        recipe: the recipe, of :func:`spotlabel.load_recipe`.
        only: names of the sequences to label; empty takes all.
        jobs: videos at a time, >= 1; None takes one per processor.
        watcher: told of everything as it happens; None tells nobody.
        strict: a video whose outcome can hardly be meant (:attr:`Outcome.findings`) has failed.

    Returns:
        One outcome per video, in the order of the dataset.

    Raises:
        LabellingError: one or more videos failed; it holds the outcomes of all of them.
        DatasetError: the dataset cannot be listed.
        RecipeError: no such sequence, or the output folder cannot be written to.
        Interrupted: SIGINT or SIGTERM came; finished videos are kept.
        ValueError: ``jobs`` is below 1.
    """
    return _run(recipe, only, jobs, watcher, masks_only=False, strict=strict)


def relabel(
    recipe: Recipe,
    *,
    only: Iterable[str] = (),
    jobs: int | None = None,
    watcher: Watcher | None = None,
    strict: bool = False,
) -> list[Outcome]:
    """Make the masks again from cached evidence, with other thresholds for example. Runs no labeler.

    Arguments, result and errors are those of :func:`label`; a video without evidence that fits fails.
    """
    return _run(recipe, only, jobs, watcher, masks_only=True, strict=strict)


def up_to_date(recipe: Recipe, plans: Iterable[Plan]) -> dict[str, Outcome]:
    """Outcomes, by name, of the videos that need no work; damage met on reading them is work."""
    outcomes = {}
    for plan in plans:
        if plan.idle:
            with suppress(DamagedStoreError):  # the video's own process meets it again, and mends it
                outcomes[plan.item.sequence.name] = _untouched(recipe, plan.item)
    return outcomes


def _untouched(recipe: Recipe, item: Item) -> Outcome:
    """Outcome of a video that is up to date."""
    masks = MaskReader(item.mask_path, sealed=True)  # `plan_item` has just checked it
    boxes = len(masks.boxes.xyxy)
    found = second_look(recipe, item)
    left = left_words(standing(recipe, item)) if item.manual_path.exists() else ""
    item.cache.save()
    return Outcome(
        item.sequence.name,
        item.labeler.name,
        len(masks),
        "fresh",
        "fresh",
        boxes=boxes,
        findings=found,
        remarks=[left] if left else [],
    )


def _run(
    recipe: Recipe,
    only: Iterable[str],
    jobs: int | None,
    watcher: Watcher | None,
    *,
    masks_only: bool,
    strict: bool,
) -> list[Outcome]:
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs: expected 1 or more, found {jobs}")
    found = items(recipe, only)
    check_writable(recipe.out)  # before anything is remembered there of any video
    plans = plan_items(recipe, found, masks_only)
    for line in notes(recipe, found):
        _log.warning("%s", line)
    clear_partials(recipe.out)
    done = up_to_date(recipe, plans)
    names = longest_first(plan.item for plan in plans if plan.item.sequence.name not in done)
    made = run_all(recipe, names, jobs or usable_cores(), masks_only, watcher or _Silent())
    done |= {outcome.sequence: outcome for outcome in made}
    outcomes = [done[plan.item.sequence.name] for plan in plans]
    for outcome in outcomes if strict else []:
        outcome.fail_if_doubtful()
    if any(outcome.failed for outcome in outcomes):
        raise LabellingError(outcomes)
    return outcomes


class _Silent:
    """Tells nobody: outcomes and :class:`LabellingError` say everything."""

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def finished(self, outcome: Outcome) -> None:
        pass

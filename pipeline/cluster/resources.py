"""How much memory and time a video's job requests: from frames, pixels and the table of costs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from spotlabel.labelers.base import is_taught
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.forecast.costs import BASE_MEGABYTES, MASKS, TIMES, evidence_rate
from spotlabel.pipeline.frames.glance import about_length, about_size
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.students_ahead import students_ahead
from spotlabel.pipeline.units import byte_size
from spotlabel.pipeline.units import clock as clock_of_seconds
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Plan

BASE_MINUTES = 10
"""Starting on a busy shared disk, compiling kernels, a slow node."""

_MEGABYTES = (1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000, 24000, 32000, 48000, 64000)
_MINUTES = (15, 30, 60, 120, 240, 480, 720, 1440, 2880, 5760, 10080)


@dataclass(frozen=True, order=True)
class ResourceRequest:
    """What one job requests of the scheduler: minutes of wall time and megabytes of memory."""

    minutes: int
    megabytes: int

    def __str__(self) -> str:
        return f"{clock(self.minutes)}, {size(self.megabytes)}"


def resource_request(plan: Plan, others: float = 0.0, once: float | None = None) -> ResourceRequest:
    """The request of one video's job, rounded up to a few steps so that videos share job arrays.

    Args:
        plan: what has to be done for it.
        others: seconds that it may have to spend on other videos; see :func:`seconds_for_others`.
        once: seconds that its evidence takes whatever the length; None: as its settings say at most.

    Raises:
        SpotlabelError, OSError: its frames cannot be counted or measured.
    """
    frames = plan.item.sequence.frames
    (height, width), length = about_size(frames), about_length(frames)
    rates = [MASKS]
    if plan.evidence.state != State.FRESH:
        rate = evidence_rate(plan.item.labeler.name, plan.item.settings)
        rates.append(rate if once is None else replace(rate, once=once))
    megapixels = height * width / 1e6
    seconds = others + sum(rate.once + rate.per_frame(megapixels) * length for rate in rates)
    minutes = BASE_MINUTES + seconds / 60
    megabytes = BASE_MEGABYTES + max(rate.beside + rate.megabytes * megapixels for rate in rates)
    return ResourceRequest(_step(minutes, _MINUTES), _step(megabytes, _MEGABYTES))


def seconds_for_others(recipe: Recipe, plan: Plan) -> float:
    """What a job takes that comes first of those that share a student: it looks into all their videos.

    Args:
        recipe: the recipe.
        plan: what has to be done for a video.

    Raises:
        SpotlabelError, OSError: the frames of one cannot be counted or measured.
    """
    item = plan.item
    if item.group is None or plan.evidence.state == State.FRESH or not students_ahead(recipe, [item]):
        return 0.0
    rate, seconds = evidence_rate(item.labeler.name, item.settings), 0.0
    for member in item.group.members:
        height, width = about_size(member.video.frames)
        seconds += rate.per_frame(height * width / 1e6) * about_length(member.video.frames)
    return seconds


def seconds_once(recipe: Recipe, plan: Plan) -> float | None:
    """What the teaching for a video takes, by its boxes; None where nobody is taught, or where several share
    a student that is still to be taught.

    Args:
        recipe: the recipe.
        plan: what has to be done for the video.

    Raises:
        SpotlabelError, OSError: its annotations cannot be read.
    """
    item = plan.item
    if not is_taught(item.labeler) or plan.evidence.state == State.FRESH:
        return None
    ahead = students_ahead(recipe, [item])
    if ahead and item.group is not None:  # all their boxes would be read for each of them
        return None
    return TIMES * sum(one.asked(recipe)[2] for one in ahead)


def _step(amount: float, steps: tuple[int, ...]) -> int:
    """The first step that holds the amount; beyond the last, whole multiples of it."""
    fitting = [step for step in steps if amount <= step]
    return fitting[0] if fitting else steps[-1] * -int(-amount // steps[-1])


def parse_memory(text: str) -> int:
    """Megabytes from ``8GB``, ``500MB``, ``1.5G``.

    Raises:
        RecipeError: no such amount; a bare number is refused, since its unit is anyone's guess.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([MG])B?", text.strip().upper())
    megabytes = round(float(match[1]) * (1000 if match[2] == "G" else 1)) if match else 0
    if not megabytes:
        raise RecipeError(f"--memory {text}: expected an amount with its unit, such as 8GB or 500MB")
    return megabytes


def parse_time(text: str) -> int:
    """Minutes from ``90`` (minutes), ``2h``, ``1:30:00`` or ``2-00:00:00`` (days), rounded up.

    Raises:
        RecipeError: no such time.
    """
    plain = re.fullmatch(r"([0-9]{1,6})(m|h|d)?", text.strip().lower())
    clocked = re.fullmatch(r"(?:([0-9]{1,3})-)?([0-9]{1,4}):([0-5]?[0-9]):([0-5]?[0-9])", text.strip())
    minutes = 0
    if plain:
        minutes = int(plain[1]) * {"m": 1, "h": 60, "d": 1440}[plain[2] or "m"]
    elif clocked:
        days, hours, part, seconds = (int(group or 0) for group in clocked.groups())
        minutes = (days * 24 + hours) * 60 + part + (seconds > 0)
    if not minutes:
        raise RecipeError(f"--time {text}: expected a time such as 90 (minutes), 2h, 1:30:00 or 2-00:00:00")
    return minutes


def clock(minutes: int) -> str:
    """Minutes as Slurm writes them: ``1:30:00``, ``2-00:00:00``."""
    return clock_of_seconds(60 * minutes)


def size(megabytes: int) -> str:
    """Megabytes for people."""
    return byte_size(1e6 * megabytes)

"""What is claimed, fixed before any run, and what the paired tests say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.attentions.metrics import FIGURES
from benchmarks.attentions.settings import ALS, CENTERNET, IA, LGA, PLAIN, SPLIT, SPOTNET
from benchmarks.paired.runs import Records
from benchmarks.paired.statistics import Difference, compare

FEWEST_SEEDS = 4
LEVEL = 0.05


@dataclass(frozen=True)
class Claim:
    """What an attention is said to do.

    Attributes:
        text: what is claimed.
        attention: variant with the attention.
        base: the same detector without it.
        figure: name of the figure in which it should show.
        sign: 1 if attention should raise it, -1 if it should lower it.
    """

    text: str
    attention: str
    base: str
    figure: str
    sign: int


CLAIMS = (
    Claim("SpotNet's masks lower false alarms on distractors", SPOTNET, CENTERNET, "twin_rate", -1),
    Claim("ALS's masks lower false alarms on distractors", ALS, SPLIT, "twin_rate", -1),
    Claim("Inverted attention raises AP where parts are hidden", IA, PLAIN, "ap50_hidden", 1),
    Claim("Gaussian attention raises AP of classes that look alike", LGA, PLAIN, "ap50_alike", 1),
)

WITH_MASKS = ((SPOTNET, CENTERNET), (ALS, SPLIT))
WITHOUT = ((IA, PLAIN), (LGA, PLAIN))
PAIRS = (*WITH_MASKS, *WITHOUT, (SPLIT, PLAIN))
"""Every difference that is shown, first minus second."""


class Verdict(StrEnum):
    """What can be said of a claim."""

    HOLDS = "holds"
    CONTRADICTED = "contradicted"
    OPEN = "open"


def shared_seeds(records: Records, variants: Sequence[str]) -> list[int]:
    """Seeds that all of the variants have finished."""
    return sorted({s for _, s in records if all((variant, s) in records for variant in variants)})


def values(records: Records, variant: str, figure: str, seeds: Sequence[int]) -> list[float]:
    """A figure of a variant, one value per seed."""
    return [float(records[variant, seed]["figures"][figure]) for seed in seeds]


def difference(records: Records, first: str, second: str, figure: str) -> Difference | None:
    """First minus second over the seeds that both have; None if there is none."""
    seeds = shared_seeds(records, (first, second))
    if not seeds:
        return None
    return compare(values(records, first, figure, seeds), values(records, second, figure, seeds))


def gain_by_masks(records: Records, figure: str) -> Difference | None:
    """Mean gain by the attentions that learn from masks minus mean gain by those that do not.

    A gain is the difference to the same detector without attention, under the same seed; seeds that lack any
    of the variants are left out, and None is returned if no seed is left.
    """
    seeds = shared_seeds(records, sorted({v for pair in (*WITH_MASKS, *WITHOUT) for v in pair}))
    if not seeds:
        return None

    def mean_gain(pairs: Sequence[tuple[str, str]]) -> list[float]:
        gains = [
            [a - b for a, b in zip(*(values(records, v, figure, seeds) for v in pair), strict=True)]
            for pair in pairs
        ]
        return [sum(row) / len(row) for row in zip(*gains, strict=True)]

    return compare(mean_gain(WITH_MASKS), mean_gain(WITHOUT))


def judge(found: Difference | None, sign: int) -> Verdict:
    """A claim holds, or its opposite does, where at least 4 seeds say so with p below 0.05; else it is open.

    Args:
        found: attention minus base; None if no seed has both.
        sign: of the claimed difference.
    """
    if found is None or found.count < FEWEST_SEEDS or not found.p < LEVEL:
        return Verdict.OPEN
    return Verdict.HOLDS if found.mean * sign > 0 else Verdict.CONTRADICTED


def gains_by_masks(records: Records) -> dict[str, Difference | None]:
    """:func:`gain_by_masks` of every figure."""
    return {figure: gain_by_masks(records, figure) for figure in FIGURES}

"""Paired statistics over seeds, and the two verdicts: the paper's order and the acceptance rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.ablation.settings import CENTERNET, LOGIT, MULTITASK, SIGMOID

Values = Sequence[float]
Table = Mapping[str, Mapping[str, Values]]
"""Variant, then figure, then one value per seed; the seeds are the same ones in the same order everywhere."""

PAIRS = (
    (MULTITASK, CENTERNET), (SIGMOID, CENTERNET), (SIGMOID, MULTITASK),
    (LOGIT, CENTERNET), (LOGIT, MULTITASK), (SIGMOID, LOGIT),
)  # fmt: skip
"""Every difference that is tested, first minus second."""

GATES = (SIGMOID, LOGIT)
FEWEST_SEEDS = 4


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (NaN for one value) over seeds."""

    mean: float
    spread: float


@dataclass(frozen=True)
class Difference:
    """Paired difference over seeds.

    Attributes:
        mean: of the differences.
        error: standard error of that mean; NaN for one seed.
        positive: number of seeds with a difference above 0.
        count: number of seeds.
        p: two-sided p-value of the paired t-test; NaN for one seed or if all differences are equal.
    """

    mean: float
    error: float
    positive: int
    count: int
    p: float


@dataclass(frozen=True)
class Check:
    """One condition: what it says with its figures, and whether it holds."""

    text: str
    holds: bool


def summarise(values: Values) -> Summary:
    """Mean and spread of one figure."""
    array = np.asarray(values, np.float64)
    return Summary(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else float("nan"))


def compare(first: Values, second: Values) -> Difference:
    """First minus second, seed by seed; the test is Student's for pairs (``scipy.stats.ttest_rel``)."""
    change = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    varied = len(change) > 1 and bool(np.ptp(change) > 0)
    return Difference(
        mean=float(change.mean()),
        error=float(stats.sem(change)) if len(change) > 1 else float("nan"),
        positive=int((change > 0).sum()),
        count=len(change),
        p=float(stats.ttest_rel(first, second).pvalue) if varied else float("nan"),
    )


def paper_order(table: Table, gate: str) -> Check:
    """Whether mean AP70 rises from CenterNet over multi-task to attention, as in the paper."""
    ordered = (CENTERNET, MULTITASK, gate)
    means = [summarise(table[variant]["ap70"]).mean for variant in ordered]
    rows = zip(*(table[variant]["ap70"] for variant in ordered), strict=True)
    single = [low < middle < high for low, middle, high in rows]
    chain = ", ".join(f"{variant} {mean:.2f}" for variant, mean in zip(ordered, means, strict=True))
    text = f"mean AP70 {chain}; so ordered in {sum(single)} of {len(single)} seeds taken alone"
    return Check(text, means[0] < means[1] < means[2])


def acceptance(table: Table, gate: str) -> list[Check]:
    """The rule, fixed with the configuration: seeds, AP70, recall, twin rate; passed if all hold."""
    seeds = len(table[CENTERNET]["ap70"])

    def means(figure: str) -> tuple[float, float, float]:
        base, multi, gated = (summarise(table[v][figure]).mean for v in (CENTERNET, MULTITASK, gate))
        return base, multi, gated

    ap, recall, twins = means("ap70"), means("recall"), means("twin_rate")
    return [
        Check(f"at least {FEWEST_SEEDS} seeds: {seeds}", seeds >= FEWEST_SEEDS),
        Check(f"AP70 over CenterNet by 2 or more: {ap[2] - ap[0]:+.2f}", ap[2] - ap[0] >= 2),
        Check(f"recall over multi-task: {recall[2]:.2f} against {recall[1]:.2f}", recall[2] > recall[1]),
        Check(
            f"multi-task's recall over CenterNet's less 0.5: {recall[1]:.2f} against {recall[0] - 0.5:.2f}",
            recall[1] > recall[0] - 0.5,
        ),
        Check(
            f"twin rate at most 0.7 of CenterNet's: {twins[2]:.2f} against {0.7 * twins[0]:.2f}",
            twins[2] <= 0.7 * twins[0],
        ),
    ]

"""Paired statistics over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

Values = Sequence[float]
Table = Mapping[str, Mapping[str, Values]]
"""Variant, then figure, then one value per seed; the seeds are the same ones in the same order everywhere."""


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


def cell(found: Difference) -> str:
    """A difference as tables show it."""
    return f"{found.mean:+.2f} ± {found.error:.2f} ({found.positive}/{found.count}; p={found.p:.3f})"


def table_rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]

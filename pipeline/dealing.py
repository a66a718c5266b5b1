"""Dealing out work: Graham's rule, for shares of a dataset and for forecasts."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


def deal(loads: Iterable[float], count: int) -> list[int]:
    """Give each load in turn to the one of ``count`` takers with the least so far.

    With the largest first this is Graham's LPT rule, at most 4/3 of the best possible
    (SIAM J. Appl. Math. 17, 1969).

    Args:
        loads: >= 0 each.
        count: number of takers, >= 1.

    Returns:
        For each load who has it, 0 to count - 1; of equals the one with fewer loads, then the first.
    """
    takers = [(0.0, 0, index) for index in range(count)]
    given = []
    for load in loads:
        total, items, index = takers[0]
        given.append(index)
        heapq.heapreplace(takers, (total + load, items + 1, index))
    return given

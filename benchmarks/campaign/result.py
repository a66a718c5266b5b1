"""What one family of faults came to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["held", "FAILED", "not run"]
_PROBLEMS_KEPT = 5


@dataclass(frozen=True)
class Result:
    """One line of the report.

    Attributes:
        row: the promise, ``R1`` to ``R33``.
        fault: what went wrong on purpose.
        how: how it was injected and what was compared afterwards.
        count: faults injected.
        lost: faults after which the promise was broken.
        seconds: wall time.
        note: figures worth a word.
        problems: the first broken promises, one line each.
        not_run: why nothing was injected; empty if it was.
    """

    row: str
    fault: str
    how: str
    count: int
    lost: int
    seconds: float
    note: str = ""
    problems: tuple[str, ...] = ()
    not_run: str = ""

    @property
    def verdict(self) -> Verdict:
        """``held`` only if faults were injected and nothing was lost."""
        if self.not_run:
            return "not run"
        return "held" if self.count and not self.lost and not self.problems else "FAILED"


def not_run(row: str, fault: str, how: str, why: str) -> Result:
    """A line for what could not be tried here; shown as such, never as held."""
    return Result(row, fault, how, 0, 0, 0.0, not_run=why)


class Tally:
    """Counts injected faults and broken promises of one line.

    Args:
        row: the promise.
        fault: what goes wrong on purpose.
        how: how it is injected and what is compared.
        wanted: faults that have to be injected; fewer is a failure of its own.
    """

    def __init__(self, row: str, fault: str, how: str, wanted: int) -> None:
        self._about = (row, fault, how)
        self._wanted = wanted
        self._started = time.perf_counter()
        self._problems: list[str] = []
        self.count = 0
        self.lost = 0
        self._last_lost = False

    def record(self, where: str, problems: Iterable[str]) -> None:
        """One fault was injected; ``problems`` are the promises it broke (none: it did no harm)."""
        found = list(problems)
        self.count += 1
        self.lost += bool(found)
        self._last_lost = bool(found)
        self._problems += [f"{where}: {problem}" for problem in found]

    def blame(self, where: str, problems: Iterable[str]) -> None:
        """Promises that turned out broken after the last recorded fault, which is charged with them."""
        found = [f"{where}: {problem}" for problem in problems]
        self.lost += bool(found) and not self._last_lost
        self._last_lost = self._last_lost or bool(found)
        self._problems += found

    def result(self, note: str = "") -> Result:
        """The line."""
        problems = self._problems[:_PROBLEMS_KEPT]
        if self.count < self._wanted:
            problems.append(f"only {self.count} of {self._wanted} faults were injected")
        seconds = time.perf_counter() - self._started
        return Result(*self._about, self.count, self.lost, seconds, note, tuple(problems))

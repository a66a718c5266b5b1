"""The page docs/reliability.md: what was injected, how often, what was lost."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.campaign.promises import PROMISES
from benchmarks.campaign.result import Result

HEAD = """# What survives which fault

Written by `make campaign`, which breaks things on purpose and counts what is lost. "Lost" is the number of
faults after which the promise did not hold; one is enough for FAILED, and `make campaign` then ends with an
error. For each line that says "not run" the reason is given below.
"""
_PLAIN = {"held": "held", "FAILED": "**FAILED**", "not run": "not run"}


def page(results: Sequence[Result], machine: str) -> str:
    """Markdown of the whole report.

    Args:
        results: lines of the campaign, in any order.
        machine: one line about where it ran.
    """
    return f"{HEAD}\n{machine}\n{lines(results)}{_tests()}"


def lines(results: Sequence[Result]) -> str:
    """Markdown of some results: the table, and how each fault was injected."""
    return _summary(results) + _details(results)


def _number(row: str) -> int:
    return int(row.removeprefix("R"))


def _summary(results: Sequence[Result]) -> str:
    shown = ["\n## Injected and lost\n", "| | fault | injected | lost | |", "|---|---|---:|---:|---|"]
    for result in _ordered(results):
        counts = ("–", "–") if result.not_run else (f"{result.count:,}", f"{result.lost:,}")
        shown.append(
            f"| {result.row} | {result.fault} | {counts[0]} | {counts[1]} | {_PLAIN[result.verdict]} |"
        )
    return "\n".join(shown) + "\n"


def _details(results: Sequence[Result]) -> str:
    shown = ["\n## How\n"]
    for result in _ordered(results):
        took = "" if result.not_run else f" {result.seconds:.0f} s."
        note = f" Seen: {result.note}." if result.note else ""
        shown.append(f"- **{result.row}, {result.fault}.** {_sentence(result.how)}{note}{took}")
        if result.not_run:
            shown.append(f"  Not run: {result.not_run}.")
        shown += [f"  - FAILED: {problem}" for problem in result.problems]
    return "\n".join(shown) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _tests() -> str:
    shown = ["\n## Promises, and the ordinary tests that show them (`make test`)\n"]
    for promise in PROMISES:
        shown.append(f"- **{promise.row}** {promise.fault}: {promise.promise}.")
        shown += [f"  - `{test}`" for test in promise.tests]
    return "\n".join(shown) + "\n"


def _ordered(results: Sequence[Result]) -> list[Result]:
    return sorted(results, key=lambda result: _number(result.row))

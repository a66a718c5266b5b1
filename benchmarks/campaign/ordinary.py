"""R24 to R32: faults that the ordinary tests inject through the very doors that users have, counted here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from defusedxml import ElementTree

from benchmarks.campaign.bench import Bench, surroundings
from benchmarks.campaign.promises import PROMISES
from benchmarks.campaign.result import Result, Tally
from tests.conftest import ROOT

ROWS = ("R24", "R26", "R27", "R28", "R29", "R30", "R31", "R32")
"""Their faults are no numbers that could be drawn at random: each is a place, and all places are tried."""


def run(bench: Bench) -> Iterator[Result]:
    """A line for each promise: its tests, each parameter one fault."""
    for promise in PROMISES:
        if promise.row in ROWS:
            yield _tried(bench, promise.row, promise.fault, promise.tests)


def _tried(bench: Bench, row: str, fault: str, tests: tuple[str, ...]) -> Result:
    paths = [str(path) for name in tests for path in (ROOT / "tests").rglob(name.partition("::")[0])]
    wanted = [f"{path}::{name.partition('::')[2]}" for path, name in zip(paths, tests, strict=True)]
    report = bench.fresh(f"ordinary-{row}") / "report.xml"
    tally = Tally(
        row, fault, f"{len(tests)} ordinary tests with all their parameters, named below, run once more; "
        "each case is a fault of its own, and a skipped one is lost", len(tests),
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *wanted],
        capture_output=True, text=True, check=False, env=surroundings(), cwd=ROOT,
    )  # fmt: skip
    if not report.exists():
        raise RuntimeError(f"pytest made no report of {row}: {(done.stdout + done.stderr).strip()[-300:]}")
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [part for part in case if part.tag in ("failure", "error", "skipped")]
        problems = [" ".join(str(part.get("message")).split())[:200] for part in bad]
        tally.record(str(case.get("name")), problems)
    return tally.result()

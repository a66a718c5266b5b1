"""R22: the published accuracy of PAWCS, on the real sequence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from benchmarks.campaign.bench import Bench, surroundings
from benchmarks.campaign.result import Result, Tally, not_run
from tests.helpers.recipes import command

_FAULT = "none: PAWCS on CDnet highway"
_HOW = "`spotlabel verify cdnet --only baseline/highway`: F within 0.005 of the published 0.944"


def run(bench: Bench) -> Iterator[Result]:
    """Label the sequence and compare, where the data is at hand."""
    folder = bench.data / "cdnet" if bench.data else None
    if folder is None or not folder.is_dir():
        yield not_run("R22", _FAULT, _HOW, "no --data with cdnet/ below it was given")
        return
    tally = Tally("R22", _FAULT, _HOW, 1)
    done = subprocess.run(
        command("verify", "cdnet", "--data", folder, "--out", bench.fresh("published") / "out", "--jobs", 1),
        capture_output=True, text=True, check=False, env=surroundings(COLUMNS="200"),
    )  # fmt: skip
    figures = " ".join(line for line in done.stdout.splitlines() if "highway" in line)
    agrees = done.returncode == 0 and "agrees" in figures
    tally.record("highway", [] if agrees else [f"{figures} {done.stderr.strip()[-300:]}"])
    yield tally.result(" ".join(part for part in figures.replace("│", " ").split()))

"""R1: kill -9 at random instants of a run over several videos, then the same command again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psutil

from benchmarks.campaign.bench import (
    Bench,
    Whole,
    differences,
    end,
    family_of,
    identities,
    label,
    redone,
    start,
    unfinished,
)
from benchmarks.campaign.result import Result, Tally
from tests.helpers.recipes import leftovers

_LONGEST_CHAIN = 6
_LIFE_OF_A_PARTIAL = 0.03
"""Seconds a small store takes from its first byte to its final name."""


def run(bench: Bench) -> Iterator[Result]:
    """Half of the kills, at any instant of the run."""
    yield _Kills(bench, bench.whole(bench.counts.videos), False).result()


def run_aimed(bench: Bench) -> Iterator[Result]:
    """The other half, while a store is being written or sealed."""
    yield _Kills(bench, bench.whole(bench.counts.videos), True).result()


class _Kills:
    """Chains of kills: each kill is followed by the same command, which is killed in turn, until one ends."""

    def __init__(self, bench: Bench, whole: Whole, aimed: bool) -> None:
        self._bench, self._whole, self._aimed = bench, whole, aimed
        self._draw: Random = bench.draw(f"kills {aimed}")
        self._wanted = bench.counts.kills // 2
        self._left_partials = 0
        self._pace = 1.0
        when = "while a store is being written, sealed or renamed" if aimed else "at any instant of the run"
        self._tally = Tally(
            "R1",
            f"kill -9 {when}",
            f"`spotlabel label` over {len(whole.names)} videos, 2 at a time ({whole.seconds:.1f} s if left "
            "alone); every second kill takes the children along. After each kill: "
            "every file under a final name compared byte by byte; the same command again, killed in turn, "
            "until one run ends: all bytes equal, no finished store written again, no partial file",
            self._wanted,
        )
        self._instants: list[float] = []

    def result(self) -> Result:
        """Kill as often as wanted, chain after chain, and say what was lost."""
        chain = 0
        while self._tally.count < self._wanted:
            self._chain(self._bench.fresh("kills") / "out", chain)
            chain += 1
        note = f"{chain} chains; {self._left_partials} kills left a partial file for the next run to clear"
        if not self._aimed:
            note += (
                f"; instants from {min(self._instants):.2f} s to {max(self._instants):.2f} s after the start"
            )
        return self._tally.result(note)

    def _chain(self, out: Path, number: int) -> None:
        recipe = self._bench.recipe(self._whole, out)
        finished: dict[Path, tuple[int, int]] = {}
        where = f"chain {number}"
        for _ in range(_LONGEST_CHAIN):
            if self._tally.count >= self._wanted or not self._killed(recipe, out):
                break
            problems = [*unfinished(out, self._whole.stores), *redone(out, finished)]
            finished = identities(out)
            self._left_partials += bool(leftovers(out))
            self._tally.record(f"{where}, kill {self._tally.count + 1}", problems)
        last = label(recipe)
        problems = [*differences(out, self._whole.stores), *redone(out, finished)]
        if last.returncode:
            problems.append(f"the next run failed: {last.stderr.strip()}")
        self._tally.blame(f"{where}, the run after it", problems)

    def _killed(self, recipe: Path, out: Path) -> bool:
        """Start a run and kill it; False if it ended by itself first."""
        process = start(recipe)
        try:
            began = time.perf_counter()
            self._wait(process, out)
            family = family_of(process)
            if process.poll() is not None:  # the machine is quicker than when the whole run was measured
                self._pace *= 0.9
                return False
            self._instants.append(time.perf_counter() - began)
            process.kill()
            if self._tally.count % 2:
                end(family)
            process.wait()
            psutil.wait_procs(family, timeout=20)  # without their parent they end themselves
            return True
        finally:
            process.kill()
            process.communicate()

    def _wait(self, process: subprocess.Popen[str], out: Path) -> None:
        made = len(list((out / "masks").glob("*.h5")))
        left = (len(self._whole.names) - made) / len(self._whole.names)
        idle = self._bench.idle_seconds
        rest = (idle + (self._whole.seconds - idle) * left) * self._pace
        if not self._aimed:
            time.sleep(self._draw.uniform(0.0, rest))
            return
        skip = self._draw.randrange(max(1, 2 * round(left * len(self._whole.names))))
        _wait_for_partials(process, out, skip)
        time.sleep(self._draw.uniform(0.0, _LIFE_OF_A_PARTIAL))


def _wait_for_partials(process: subprocess.Popen[str], out: Path, skip: int) -> None:
    """Wait until the partial file of yet another store shows, after some that are let pass."""
    seen: set[str] = set()
    while process.poll() is None:
        seen |= {path.name for path in leftovers(out) if ".h5." in path.name}
        if len(seen) > skip:
            return
        time.sleep(0.001)

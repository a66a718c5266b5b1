"""Fuzzing in child processes: one that dies or hangs is told with its input, the rest goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign.bench import Bench, surroundings
from benchmarks.campaign.result import Result, Tally
from benchmarks.fuzz.child import AT, MOST_SECONDS
from benchmarks.fuzz.kind import Kind
from benchmarks.fuzz.kinds import kinds, shares
from tests.conftest import ROOT

_PER_CHILD = 5000
_DEAF_SECONDS = 4 * MOST_SECONDS
"""After which a child that does not even hear its alarm is killed."""
_START_SECONDS = 300


def run(bench: Bench) -> Iterator[Result]:
    """A line for each kind of file: the family ``fuzz`` of the campaign."""
    chosen = tuple(kinds())
    counts = shares(bench.counts.fuzzed, chosen)
    for kind in chosen:
        with tempfile.TemporaryDirectory(prefix=f"fuzz-{kind.name}-", dir=bench.folder) as folder:
            yield fuzz(kind, (bench.seed - 1) * 10_000_000, counts[kind.name], Path(folder))


def fuzz(kind: Kind, first: int, count: int, folder: Path, module: str = "benchmarks.fuzz.child") -> Result:
    """Try inputs of one kind.

    Args:
        kind: of file.
        first: number of the first input.
        count: of inputs.
        folder: scratch.
        module: what a child process runs.
    """
    tally = Tally(kind.row, f"{kind.name} files mutated", f"{kind.what}; in 5 s and 1 GiB", count)
    refused, slowest, number = 0, 0.0, first
    while number < first + count:
        part = _child(kind, number, min(_PER_CHILD, first + count - number), folder, module)
        for at in range(number, part.end):
            tally.record(f"`--only {kind.name} --seed {at}`", part.problems.get(at, ()))
        refused, slowest, number = refused + part.refused, max(slowest, part.slowest), part.end
    return tally.result(f"{refused} refused, {tally.count - refused} accepted, at most {slowest:.1f} s each")


@dataclass
class _Part:
    """What one child did: inputs before ``end``, and what was wrong with which."""

    end: int
    problems: dict[int, list[str]]
    refused: int = 0
    slowest: float = 0.0


def _child(kind: Kind, first: int, count: int, scratch: Path, module: str) -> _Part:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        at = Path(folder) / AT
        out, err = scratch / "stdout", scratch / "stderr"
        with out.open("wb") as told, err.open("wb") as printed:
            command = [
                sys.executable,
                "-m",
                module,
                kind.name,
                str(first),
                str(count),
                folder,
            ]
            process = subprocess.Popen(command, stdout=told, stderr=printed, env=surroundings(), cwd=ROOT)
            try:
                deaf = _watched(process, at)
            finally:
                process.kill()
                process.wait()
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        part = _Part(first + count, {line["number"]: line["problems"] for line in lines if "number" in line})
        if lines and "refused" in lines[-1]:
            part.refused, part.slowest = lines[-1]["refused"], lines[-1]["slowest"]
            return part
        number = _number(at)
        if number < 0:
            last = err.read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"fuzzing {kind.name} did not start: {last}")
        how = "hangs beyond its alarm" if deaf else f"ended the process ({process.returncode})"
        part.end, part.problems[number] = number + 1, [how]
        part.refused = int(at.read_text()[20:])
        return part


def _watched(process: subprocess.Popen[bytes], at: Path) -> bool:
    """Wait for the end; True if the process had to be given up."""
    seen, since = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        now = _number(at)
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > (_DEAF_SECONDS if seen >= 0 else _START_SECONDS):
            return True
    return False


def _number(at: Path) -> int:
    """The input at hand; -1 before the first."""
    try:
        return int(at.read_text()[:20] or -1)
    except (OSError, ValueError):
        return -1

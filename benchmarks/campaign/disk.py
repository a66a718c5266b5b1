"""R5: the disk is full, for real: ``spotlabel label`` onto file systems of 40 sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.campaign.bench import Bench, Whole, surroundings
from benchmarks.campaign.disk_child import LIMIT, TMPFS
from benchmarks.campaign.result import Result, Tally

_PAGE = 4096
_HOW = {
    TMPFS: "a tmpfs, mounted in a private namespace",
    LIMIT: "RLIMIT_FSIZE, which the kernel enforces at every write (no tmpfs may be mounted here: not root)",
}


def run(bench: Bench) -> Iterator[Result]:
    """Sizes from one page to more than enough; then the same run with room."""
    whole = bench.whole(2, frames=200)
    kind = TMPFS if _may_mount(bench) else LIMIT
    largest = max(map(len, whole.stores.values()))
    top = largest if kind == LIMIT else sum(map(len, whole.stores.values())) + 16 * _PAGE
    steps = bench.counts.disks
    sizes = [max(1, round(top * number / (steps - 2) / _PAGE)) * _PAGE for number in range(1, steps + 1)]
    tally = Tally(
        "R5",
        "disk full, swept over sizes" if kind == TMPFS else "files limited in size, swept over sizes",
        f"`spotlabel label` over 2 videos onto {_HOW[kind]}, {sizes[0] // 1024} to {sizes[-1] // 1024} KiB. "
        "After each: every store under a final name has all its bytes; an error names the file and "
        "the free space; exit code 1; the same command with room gives equal bytes",
        steps,
    )
    out = bench.fresh("disk") / "out"
    out.mkdir()
    ended_well = 0
    for size, found in zip(sizes, _attempts(bench, whole, out, kind, sizes), strict=True):
        tally.record(f"{size // 1024} KiB", found["problems"])
        ended_well += found["code"] == 0
    return_note = f"{ended_well} of the sizes were large enough"
    yield tally.result(return_note)


def _may_mount(bench: Bench) -> bool:
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(bench.fresh("probe"))]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _attempts(bench: Bench, whole: Whole, out: Path, kind: str, sizes: list[int]) -> list[dict[str, Any]]:
    """What became of each size, as ``disk_child`` tells it; judged there, where the mount is seen."""
    recipe = bench.recipe(whole, out)
    job = {"recipe": str(recipe), "out": str(out), "whole": whole.tree["out"], "kind": kind, "sizes": sizes}
    private = ["unshare", "-m"] if kind == TMPFS else []
    done = subprocess.run(
        [*private, sys.executable, "-m", "benchmarks.campaign.disk_child", json.dumps(job)],
        capture_output=True, text=True, check=False, env=surroundings(),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"disk_child failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]

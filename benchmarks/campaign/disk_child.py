"""Labels onto one small disk after the other; run in a private mount namespace by ``disk.py``.

``python -m benchmarks.campaign.disk_child JOB``: JOB is JSON with ``recipe``, ``out``, ``whole`` (an
undisturbed run's output folder), ``kind`` and ``sizes`` in bytes. One JSON line is printed per size.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.bench import differences, label, unfinished
from tests.helpers.recipes import stores

TMPFS, LIMIT = "tmpfs", "limit"
_ROOM = "64m"


def main() -> None:
    """Try every size that was asked for."""
    job = json.loads(sys.argv[1])
    out, recipe = Path(job["out"]), Path(job["recipe"])
    expected = stores(Path(job["whole"]))
    for size in job["sizes"]:
        with _small(job["kind"], out, size):
            with _limited(job["kind"], size):
                first = label(recipe)
            problems = _judged(first.returncode, first.stderr, out, expected)
            if job["kind"] == TMPFS:
                subprocess.run(["mount", "-o", f"remount,size={_ROOM}", str(out)], check=True)
            again = label(recipe)
            if again.returncode:
                problems.append(f"with room, the next run failed: {again.stderr.strip()}")
            problems += differences(out, expected)
        print(json.dumps({"code": first.returncode, "problems": problems}), flush=True)


def _judged(code: int, errors: str, out: Path, expected: dict[str, bytes]) -> list[str]:
    """Promises that one run on a small disk broke."""
    problems = unfinished(out, expected)
    if "Traceback" in errors:
        problems.append("a traceback")
    if code == 0:
        return problems + differences(out, expected)
    failed = [line for line in errors.splitlines() if "FAILED" in line or "cannot be written" in line]
    if code not in (1, 2) or not failed:
        problems.append(f"ended with {code} and {errors.strip()!r}")
    return problems + [
        f"the error names no file or no free space: {line}"
        for line in failed
        if str(out) not in line or "MiB free" not in line
    ]


@contextmanager
def _small(kind: str, out: Path, size: int) -> Iterator[None]:
    """An output folder on a small disk, empty again afterwards."""
    if kind == TMPFS:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(out)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", str(out)], check=True)
    else:
        yield
        shutil.rmtree(out)
        out.mkdir()


@contextmanager
def _limited(kind: str, size: int) -> Iterator[None]:
    """No file may grow beyond a size, in this process and those it starts."""
    if kind != LIMIT:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


if __name__ == "__main__":
    main()

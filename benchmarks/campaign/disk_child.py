"""Labels onto one small disk after the other; run in a private mount namespace by :mod:`.disk`.

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

TMPFS, LIMIT = "tmpfs", "limit"
_ROOM = "64m"


def main() -> None:
    """Try every size that was asked for."""
    from benchmarks.campaign.bench import differences, label  # noqa: PLC0415 (this module is imported by disk)
    from benchmarks.campaign.disk import judged  # noqa: PLC0415
    from tests.helpers.recipes import stores  # noqa: PLC0415

    job = json.loads(sys.argv[1])
    out, recipe = Path(job["out"]), Path(job["recipe"])
    expected = stores(Path(job["whole"]))
    for size in job["sizes"]:
        with _small(job["kind"], out, size):
            with _limited(job["kind"], size):
                first = label(recipe)
            problems = judged(first.returncode, first.stderr, out, expected)
            if job["kind"] == TMPFS:
                subprocess.run(["mount", "-o", f"remount,size={_ROOM}", str(out)], check=True)
            again = label(recipe)
            if again.returncode:
                problems.append(f"with room, the next run failed: {again.stderr.strip()}")
            problems += differences(out, expected)
        print(json.dumps({"code": first.returncode, "problems": problems}), flush=True)


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

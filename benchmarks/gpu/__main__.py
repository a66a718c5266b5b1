"""``python -m benchmarks.gpu``: each part in a process of its own, its result on disk at once."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.gpu.page import page
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.setting import Record, read_record

ROOT = Path(__file__).parents[2]
_SHORTEST = 10.0
"""Seconds below which it is not worth starting a part."""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen parts; 1 if one failed, was stopped or could not run."""
    given = _parser().parse_args(arguments)
    out: Path = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * given.minutes
    chosen = [part for part in PARTS if not given.only or part.name in given.only]
    host = _host(given.device, given.quick)
    results: dict[str, dict[str, Any]] = {}
    for part in chosen:
        results[part.name] = _run(part, given, out, end - time.monotonic())
        (out / "gpu.md").write_text(page(host, results), encoding="utf-8")
        found = results[part.name]
        print(f"{part.name}: {found['state']} after {found['seconds']} s", flush=True)
        if "error" in found:
            print(f"  {found['error'].strip().splitlines()[-1]}", flush=True)
    print(f"page: {out / 'gpu.md'}")
    return int(any(found["state"] != "done" for found in results.values()))


def _parser() -> argparse.ArgumentParser:
    # argparse, for even click may be missing where this runs
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[p.name for p in PARTS], metavar="PART", default=[],
                        help=f"only these of {', '.join(p.name for p in PARTS)}")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of the results")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="toy sizes: shows that the parts work")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real sequences")
    parser.add_argument("--minutes", type=float, default=8.0, help="most that all parts may take together")
    return parser


def _run(part: Part, given: argparse.Namespace, out: Path, left: float) -> dict[str, Any]:
    record = Record(out / f"{part.name}.json")
    if missing := part.missing():
        record.close("not run", f"not installed here: {', '.join(missing)}; see scripts/gpu-wheels.sh")
        return record.values
    limit = left if given.quick else min(left, part.seconds)
    if limit < _SHORTEST:
        record.close("not run", "no time was left (--minutes)")
        return record.values
    record.write()  # in place of an earlier run's
    (out / "work" / part.name).mkdir(parents=True, exist_ok=True)
    ended = _child(part, given, out, limit)
    found = read_record(record.path)
    if found["state"] == "running":
        record.values = found
        record.close(
            "stopped", f"stopped after {limit:.0f} s" if ended is None else f"ended with exit code {ended}"
        )
        return record.values
    return found


def _child(part: Part, given: argparse.Namespace, out: Path, limit: float) -> int | None:
    """Exit code of the part's process; None if its time ran out. Output goes to ``<out>/<part>.log``."""
    told = {"part": part.name, "out": str(out), "device": given.device, "quick": given.quick}
    told["data"] = str(given.data.resolve())
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    simulator = {"NUMBA_ENABLE_CUDASIM": "1"} if given.device == "cpu" and part.name == "pawcs" else {}
    with (out / f"{part.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu.child", json.dumps(told)],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": paths} | simulator, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:  # with the processes that it started, which are of its session
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _host(device: str, quick: bool) -> dict[str, object]:
    """What the figures were measured with."""
    found: dict[str, object] = {
        "device": device,
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
    }
    if quick:
        found["sizes"] = "toys; nothing here is a measurement"
    for package in ("torch", "numba", "numba-cuda", "numpy", "opencv-python-headless"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    try:
        card = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        found["card"] = card.stdout.strip().replace("\n", "; ")
    except (OSError, subprocess.SubprocessError):
        found["card"] = "nvidia-smi tells of none"
    return found


if __name__ == "__main__":
    sys.exit(main())

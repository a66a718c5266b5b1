"""Run the tests of numbers as older processors would: ``python scripts/test_processors.py [--quick]``.

Which labels come out otherwise there is told by ``make processor-bytes``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # also where spotlabel is installed from elsewhere

from benchmarks.processors.emulation import EMULATIONS, PROBE, QUICK, absent_flags  # noqa: E402

TESTS = (
    "tests/labelers",
    "tests/pipeline/measures",
    "tests/pipeline/stages/test_mask_stage.py",
    "tests/pipeline/synthetic",
    "tests/detector/centernet",
    "tests/detector/data",
    "tests/detector/evaluation",
    "tests/detector/networks",
    "tests/detector/prediction/test_onnx_export.py",
    "tests/detector/prediction/test_predictor.py",
    "tests/detector/regions",
    "tests/detector/test_detector_references.py",
    "tests/detector/training/test_overfit.py",
    "tests/detector/training/test_training_step.py",
)
QUICK_TESTS = (
    "tests/labelers/boxbg/test_boxbg_smoothing.py",
    "tests/labelers/egomotion/test_egomotion.py",
    "tests/labelers/masks/test_believed_masks.py",
    "tests/detector/centernet/test_decode.py",
    "tests/detector/centernet/test_targets_losses.py",
    "tests/detector/data/test_samples.py",
    "tests/detector/training/test_overfit.py::test_a_preset_learns_one_batch[spotnet-released]",
    "tests/detector/training/test_training_step.py::"
    "test_a_switch_changes_neither_losses_nor_gradients_nor_weights_nor_statistics",
)


def run(name: str, tests: tuple[str, ...]) -> tuple[str, bool]:
    """A row of the table, and whether it is as it should be; a failing emulation's output is printed."""
    emulation = EMULATIONS[name]
    absent = absent_flags(emulation)
    if absent:
        return f"| {name} | not run: this processor has no {', '.join(absent)} | | | | |", True
    with tempfile.TemporaryDirectory() as cache:
        environment = (
            os.environ | emulation.environment() | {"NUMBA_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"}
        )
        seen = subprocess.run(
            [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False
        )
        started = time.monotonic()
        tried = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "timeout=1800", *tests],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if tried.returncode:
        print(f"{name}:\n{tried.stdout[-20000:]}{tried.stderr[-2000:]}")
    last = tried.stdout.strip().splitlines()[-1].strip("= ") if tried.stdout.strip() else "no output"
    used = (
        seen.stdout.strip().splitlines()[-1]
        if seen.returncode == 0
        else f"not told: {seen.stderr[-200:]} | | |"
    )
    row = f"| {name} | {last} ({time.monotonic() - started:.0f} s) | {used} |"
    return row, tried.returncode == 0 and seen.returncode == 0


def main() -> int:
    """Print a row per emulation; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few tests, two emulations side by side")
    parser.add_argument("--only", choices=list(EMULATIONS), help="one emulation")
    given = parser.parse_args()
    names = (given.only,) if given.only else QUICK if given.quick else tuple(EMULATIONS)
    tests = QUICK_TESTS if given.quick else TESTS
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda name: run(name, tests), names))
    print("| emulated | tests | torch | OpenCV | NumPy | numba |\n|---|---|---|---|---|---|")
    print("\n".join(row for row, _ in rows))
    return int(not all(good for _, good in rows))


if __name__ == "__main__":
    sys.exit(main())

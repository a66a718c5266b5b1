"""Run the tests of numbers as older processors would: ``python scripts/test_processors.py [--quick]``.

The libraries choose their code by what the processor can do. Each has a variable that makes it do with less;
a row of the table sets them all. Nothing can be emulated that this processor has not: such a row is not run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

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


@dataclass(frozen=True)
class Emulation:
    """What each library is told.

    Attributes:
        needs: flags of /proc/cpuinfo without which it cannot run here.
        torch, onednn, opencv, numpy, blas, numba: values of their variables.
    """

    needs: str
    torch: str
    onednn: str
    opencv: str
    numpy: str
    blas: str
    numba: str

    def environment(self) -> dict[str, str]:
        """The variables."""
        return {
            "ATEN_CPU_CAPABILITY": self.torch,
            "ONEDNN_MAX_CPU_ISA": self.onednn,
            "OPENCV_CPU_DISABLE": self.opencv,
            "NPY_DISABLE_CPU_FEATURES": self.numpy,
            "OPENBLAS_CORETYPE": self.blas,
            "NUMBA_CPU_NAME": self.numba,
            "NUMBA_CPU_FEATURES": "",  # else numba adds the host's
        }


EMULATIONS = {
    "AVX-512 without VNNI": Emulation(
        "avx512f avx512vl", "avx512", "AVX512_CORE", "", "AVX512_ICL AVX512_SPR", "SkylakeX", "skylake-avx512"
    ),
    "AVX2 and FMA": Emulation(
        "avx2 fma", "avx2", "AVX2", "AVX512-SKX", "X86_V4 AVX512_ICL AVX512_SPR", "Haswell", "haswell"
    ),
    "AVX": Emulation(
        "avx", "default", "AVX", "AVX2,FMA3,FP16,AVX512-SKX",
        "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "Sandybridge", "sandybridge",
    ),
    "SSE 4.1": Emulation(
        "sse4_1", "default", "SSE41", "SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512-SKX",
        "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "Nehalem", "penryn",
    ),
}  # fmt: skip
QUICK = ("AVX2 and FMA", "SSE 4.1")

PROBE = """
import cv2, torch
from numba.core.codegen import JITCPUCodegen
from numpy._core._multiarray_umath import __cpu_features__ as has
numpy = [name for name in ("X86_V2", "X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR") if has.get(name)][-1]
levels = {"SSE3": 4, "SSE4.1": 6, "AVX": 10, "AVX2": 11, "AVX-512": 256}  # CV_CPU_... in cvdef.h
opencv = [name for name, number in levels.items() if cv2.checkHardwareSupport(number)][-1]
numba = JITCPUCodegen("probe").magic_tuple()[1]
print(torch.backends.cpu.get_cpu_capability(), opencv, numpy, numba, sep=" | ")
"""
"""Tells what the libraries came to use: an emulation that does nothing would pass every test."""


def run(name: str, tests: tuple[str, ...]) -> tuple[str, bool]:
    """A row of the table, and whether it is as it should be; a failing emulation's output is printed."""
    emulation = EMULATIONS[name]
    absent = sorted(set(emulation.needs.split()) - flags())
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


def flags() -> set[str]:
    """What this processor can do."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


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

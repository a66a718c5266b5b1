"""Older processors, as the libraries see them: what each is told so that it does with less.

The libraries choose their code by what the processor can do. Each has a variable that makes it do with less;
an emulation sets them all. Nothing can be emulated that this processor has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Emulation:
    """What each library is told.

    Attributes:
        needs: flags of /proc/cpuinfo without which it cannot run here.
        torch, onednn, opencv, numpy, blas, numba: values of their variables.
        ipp: Intel's library inside OpenCV, which looks at the processor for itself.
        libm: what the C library's mathematics are not to use.
        opencv_level: what OpenCV then uses at most, one of :data:`OPENCV_LEVELS`.
    """

    needs: str
    torch: str
    onednn: str
    opencv: str
    numpy: str
    blas: str
    numba: str
    ipp: str
    libm: str
    opencv_level: str

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
            "OPENCV_IPP": self.ipp,
            "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={self.libm}",
        }


EMULATIONS = {
    "AVX-512 without VNNI": Emulation(
        "avx512f avx512vl", "avx512", "AVX512_CORE", "", "AVX512_ICL AVX512_SPR", "SkylakeX",
        "skylake-avx512", "avx512", "", "AVX-512",
    ),
    "AVX2 and FMA": Emulation(
        "avx2 fma", "avx2", "AVX2", "AVX512-SKX", "X86_V4 AVX512_ICL AVX512_SPR", "Haswell", "haswell",
        "avx2", "-AVX512F", "AVX2",
    ),
    "AVX": Emulation(
        "avx", "default", "AVX", "AVX2,FMA3,FP16,AVX512-SKX",
        "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "Sandybridge", "sandybridge",
        "sse42", "-AVX512F,-AVX2,-FMA,-FMA4", "AVX",
    ),
    "SSE 4.1": Emulation(
        "sse4_1", "default", "SSE41", "SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512-SKX",
        "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "Nehalem", "penryn",
        "disabled", "-AVX512F,-AVX2,-FMA,-FMA4,-AVX", "SSE3",
    ),
}  # fmt: skip
QUICK = ("AVX2 and FMA", "SSE 4.1")

OPENCV_LEVELS = {"SSE3": 4, "SSE4.1": 6, "AVX": 10, "AVX2": 11, "AVX-512": 256}
"""What OpenCV has code for, and the number by which it is asked (``CV_CPU_...`` in its cvdef.h)."""

PROBE = f"""
import cv2, torch
from numba.core.codegen import JITCPUCodegen
from numpy._core._multiarray_umath import __cpu_features__ as has
numpy = [name for name in ("X86_V2", "X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR") if has.get(name)][-1]
levels = {OPENCV_LEVELS}
opencv = [name for name, number in levels.items() if cv2.checkHardwareSupport(number)][-1]
numba = JITCPUCodegen("probe").magic_tuple()[1]
print(torch.backends.cpu.get_cpu_capability(), opencv, numpy, numba, sep=" | ")
"""
"""Tells what the libraries came to use: an emulation that does nothing would pass every test."""


def flags() -> set[str]:
    """What this processor can do."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def absent_flags(emulation: Emulation) -> list[str]:
    """What this processor lacks for an emulation; empty if it can be run here."""
    return sorted(set(emulation.needs.split()) - flags())

"""Engine of PAWCS by device: on the CPU, or on a GPU by numba-cuda."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.pawcs.engine import PawcsEngine
from spotlabel.labelers.pawcs.settings import PawcsSettings


class Engine(Protocol):
    """The model of one video, wherever it runs; see :class:`spotlabel.labelers.pawcs.engine.PawcsEngine`."""

    @property
    def level(self) -> npt.NDArray[np.uint8]:
        """Distance evidence of the last frame before post-processing, uint8 (H, W)."""

    @property
    def median(self) -> int:
        """Side of the median filter."""

    def apply(
        self, image: npt.NDArray[np.uint8], held: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Segment the next frame and learn from it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def cuda_problem() -> str:
    """Why CUDA cannot be used here; empty if it can."""
    try:
        from numba import cuda  # noqa: PLC0415  (finding it takes time; only who asks for it pays)

        return "" if cuda.is_available() else "no usable GPU, driver or CUDA compiler was found"
    except (ImportError, OSError, RuntimeError) as error:
        return f"numba's CUDA target cannot be loaded ({error})"


def chosen_device(settings: PawcsSettings) -> str:
    """``cpu`` or ``cuda``: what the settings' ``device`` comes to on this machine.

    Raises:
        LabelerError: CUDA is asked for and cannot be used.
    """
    if settings.device == "cpu" or (settings.device == "auto" and settings.parity):
        return "cpu"
    problem = cuda_problem()
    if not problem:
        return "cuda"
    if settings.device == "auto":
        return "cpu"
    raise LabelerError(
        f"pawcs: device: cuda: {problem}; install spotlabel[cuda] and an NVIDIA driver, or use device: cpu"
    )


def create_engine(first: npt.NDArray[np.uint8], settings: PawcsSettings, with_level: bool = False) -> Engine:
    """The model of one video on the device that the settings ask for.

    Args:
        first: uint8 (H, W, 3), BGR, the first frame.
        settings: parameters.
        with_level: whether to compute distance evidence.

    Raises:
        LabelerError: CUDA is asked for and cannot be used.
        ValueError: the frame is too small for PAWCS.
    """
    if chosen_device(settings) == "cpu":
        return PawcsEngine(first, settings, with_level)
    from spotlabel.labelers.pawcs.cuda.single import CudaEngine  # noqa: PLC0415

    return CudaEngine(first, settings, with_level)

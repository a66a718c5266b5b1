"""Labeler ``pawcs-pybgs``: PAWCS as the SpotNet paper used it for fixed cameras, through pybgs.

St-Charles, Bilodeau and Bergevin, "A self-adjusting approach to change detection based on background word
consensus" (WACV 2015). Everything here keeps pybgs from surprising anyone: it takes its settings from a file
in the working directory, shows windows, and draws random numbers that nobody seeds.

pybgs prints to the process's standard output, holds the interpreter's lock while it works, and its random
numbers are those of the whole process: give every video a process of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings
from spotlabel.labelers.errors import LabelerError

SMALLEST_SIDE = 8
"""pybgs fails inside OpenCV on images with a shorter side, in px."""


class PawcsSettings(Settings):
    """Settings of the labeler ``pawcs-pybgs``; the defaults are pybgs's own."""

    relative_lbsp_threshold: float = Field(0.333, gt=0, le=1)
    """Texture (LBSP) threshold relative to a pixel's value, before it adapts; ``fRelLBSPThreshold``."""
    descriptor_distance_offset: int = Field(2, ge=0, le=48)
    """Added to the threshold on the distance of descriptors, bits; ``nDescDistThresholdOffset``."""
    color_distance_threshold: int = Field(20, ge=0, le=255)
    """Smallest threshold on colour distance, grey levels; ``nMinColorDistThreshold``."""
    words: int = Field(50, ge=1, le=1000)
    """Background words per pixel; memory and time grow with it; ``nMaxNbWords``."""
    samples_for_moving_averages: int = Field(100, ge=1)
    """Frames over which the adapting averages run; ``nSamplesForMovingAvgs``."""
    seed: int = Field(1, ge=0, lt=2**32)
    """Seed of the C library's random numbers. 1 is what a process has that never seeds."""
    warm_up_frames: int = Field(1, ge=0)
    """So many frames at the start are marked as warm-up. The first mask says nothing (the frame is compared
    with a model made of itself); after that PAWCS is usable, though it learns faster in its first 500."""


class PawcsPybgs:
    """PAWCS by pybgs.

    Raises:
        LabelerError: pybgs is not installed.
    """

    name: ClassVar[str] = "pawcs-pybgs"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.BINARY
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("pybgs",)
    settings_type: ClassVar[type[Settings]] = PawcsSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = PawcsSettings.model_validate(settings.model_dump())
        self._pybgs = _import_pybgs()

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield PAWCS's foreground.

        Its result depends on the process's random numbers from the first frame to the last, so two clips must
        not be labelled in turns within one process.

        Raises:
            LabelerError: frames are too small for PAWCS, or pybgs refuses one.
        """
        height, width = clip.size
        if min(height, width) < SMALLEST_SIDE:
            size = f"{width}x{height}"
            raise LabelerError(
                f"{self.name}: frames are {size}, PAWCS needs {SMALLEST_SIDE} px a side or more"
            )
        ctypes.CDLL(None).srand(ctypes.c_uint(self._settings.seed))
        pawcs = _construct(self._pybgs, config_xml(self._settings))
        for count, frame in enumerate(clip):
            mask = _apply(pawcs, frame.number, frame.image)
            yield Evidence(mask != 0, warm_up=count < self._settings.warm_up_frames)


def config_xml(settings: PawcsSettings) -> str:
    """The text of pybgs's ``PAWCS.xml``: one element per setting, window off."""
    elements = {
        "fRelLBSPThreshold": settings.relative_lbsp_threshold,
        "nDescDistThresholdOffset": settings.descriptor_distance_offset,
        "nMinColorDistThreshold": settings.color_distance_threshold,
        "nMaxNbWords": settings.words,
        "nSamplesForMovingAvgs": settings.samples_for_moving_averages,
        "showOutput": 0,
    }
    lines = [f"<{name}>{value}</{name}>" for name, value in elements.items()]
    return "\n".join(['<?xml version="1.0"?>', "<opencv_storage>", *lines, "</opencv_storage>", ""])


def _import_pybgs() -> ModuleType:
    """Import pybgs, or say how to get it."""
    try:
        import pybgs  # noqa: PLC0415 - optional, and heavy: only who asks for PAWCS pays for it
    except ImportError as error:
        advice = (
            "run `make setup PYBGS=1` as root, or ask the administrator for `libopencv-dev cmake g++` and "
            "then run `pip install pybgs==3.3.1`"
        )
        raise LabelerError(f"pawcs-pybgs: pybgs cannot be imported ({error}); {advice}") from error
    module: ModuleType = pybgs
    return module


def _construct(pybgs: ModuleType, config: str) -> Any:
    """A PAWCS object with our settings, whatever lies in the caller's working directory.

    pybgs reads ``./config/PAWCS.xml`` when the object is made and never again, so the working directory,
    which belongs to the whole process, is elsewhere only for that moment.
    """
    with tempfile.TemporaryDirectory(prefix="spotlabel-pawcs-") as scratch:
        folder = Path(scratch, "config")
        folder.mkdir()
        (folder / "PAWCS.xml").write_text(config, encoding="ascii")
        with contextlib.chdir(scratch):
            return pybgs.PAWCS()


def _apply(pawcs: Any, number: int, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Foreground of one frame, uint8 (H, W), 0 or 255."""
    try:
        mask: npt.NDArray[np.uint8] = pawcs.apply(np.ascontiguousarray(image))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise LabelerError(f"pawcs-pybgs: frame {number}, shape {image.shape}: {reason}") from error
    return mask

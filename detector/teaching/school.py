"""From a lesson to the file of a student: what the pipeline calls, with plain data on both sides."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from spotlabel.detector.errors import TeachingError
from spotlabel.detector.teaching.course import Course, trained
from spotlabel.detector.teaching.graph import as_onnx
from spotlabel.detector.teaching.material import Material

if importlib.util.find_spec("onnx") is None:
    raise ModuleNotFoundError("No module named 'onnx'", name="onnx")  # before anything has been asked


def check_device(device: str) -> None:
    """Find out before a teacher is asked whether a student can be trained there.

    Args:
        device: ``cpu`` or ``cuda``.

    Raises:
        TeachingError: there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise TeachingError("teaching.device: cuda cannot be used here; write cpu")


def taught(
    arrays: Mapping[str, npt.NDArray[Any]],
    course: Mapping[str, Any],
    metadata: Mapping[str, str],
    *,
    state: Path,
    mark: str,
    progress: Callable[[int, int], None],
) -> bytes:
    """The ONNX file of a student that has learnt a lesson; equal arguments give equal bytes on one machine.

    Args:
        arrays: as :class:`Material`.
        course: as :class:`Course`.
        metadata: entries of the file.
        state: file for the training's state; the caller deletes it when the student is kept.
        mark: what is written into the state; one with another mark is of another training.
        progress: told of steps done and in all.

    Raises:
        TeachingError: there is no such device.
    """
    chosen = Course(**course)
    check_device(chosen.device)
    student = trained(Material(**arrays), chosen, state=state, mark=mark, progress=progress)
    return as_onnx(student, chosen.size, metadata)

"""Scenes and detections as the evaluator of :mod:`spotlabel.detector.evaluation` speaks of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spotlabel.detector.evaluation.matching import match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth

Boxes = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def met(objects: Truth, sure: Detections) -> float:
    """Percent of the objects met by a detection at IoU 0.5 or more; NaN without objects."""
    if not len(objects.frame):
        return float("nan")
    return 100 * int(match_sequence(objects, sure, 0.5).hit.sum()) / len(objects.frame)


def as_truth(name: str, boxes: Sequence[Boxes]) -> Truth:
    """Scene i becomes frame i + 1."""
    frame = np.repeat(np.arange(1, len(boxes) + 1), [len(b) for b in boxes])
    joined = np.concatenate([*boxes, np.zeros((0, 4))]).astype(np.float64)
    return Truth(name, len(boxes), frame, as_corner_and_size(joined))


def as_detections(found: Float64) -> Detections:
    """Detections (scenes, K, 6) as columns."""
    frame = np.repeat(np.arange(1, len(found) + 1), found.shape[1])
    rows = found.reshape(-1, found.shape[2]).astype(np.float64)
    return Detections(frame, as_corner_and_size(rows[:, :4]), rows[:, 4])


def as_corner_and_size(boxes: Float64) -> Float64:
    """x0, y0, x1, y1 to left, top, width, height: (N, 4)."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)

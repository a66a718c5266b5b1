"""What the evaluators speak: boxes in columns, in the benchmark's own coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def _no_boxes() -> Float64:
    return np.zeros((0, 4))


def _no_frames() -> Int64:
    return np.zeros(0, np.int64)


def check_columns(owner: str, frame: Int64, **columns: npt.NDArray[np.generic]) -> None:
    """Compare lengths; columns named ``boxes`` or ``regions`` must be (N, 4), the others (N,).

    Raises:
        ValueError: a column has another shape.
    """
    for name, column in columns.items():
        expected = (len(frame), 4) if name in ("boxes", "regions") else (len(frame),)
        if column.shape != expected:
            raise ValueError(f"{owner}: {name} has shape {column.shape}, expected {expected}")


@dataclass(frozen=True)
class Detections:
    """Detections of one sequence, in any order.

    Attributes:
        frame: int64 (D,), frame numbers from 1.
        boxes: float64 (D, 4), left, top, width, height in the benchmark's coordinates.
        score: float64 (D,), higher is surer.
    """

    frame: Int64
    boxes: Float64
    score: Float64

    def __post_init__(self) -> None:
        check_columns("detections", self.frame, boxes=self.boxes, score=self.score)

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: npt.NDArray[np.bool_] | Int64) -> Detections:
        """The rows of a mask or index."""
        return Detections(self.frame[rows], self.boxes[rows], self.score[rows])


@dataclass(frozen=True)
class Truth:
    """Ground truth of one sequence.

    Attributes:
        name: the sequence.
        frames: frames 1 to this number are evaluated.
        frame: int64 (M,), frame numbers of the boxes.
        boxes: float64 (M, 4), left, top, width, height in the benchmark's coordinates.
        region_frame: int64 (R,), frame numbers of the ignore regions; 0 stands for every frame.
        regions: float64 (R, 4), ignore regions, like ``boxes``.
        labels: columns int64 (M,) of what the benchmark says of each object (category, occlusion...).
        attributes: what it says of the whole sequence (weather...).
    """

    name: str
    frames: int
    frame: Int64
    boxes: Float64
    region_frame: Int64 = field(default_factory=_no_frames)
    regions: Float64 = field(default_factory=_no_boxes)
    labels: Mapping[str, Int64] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_columns(f"truth of {self.name}", self.frame, boxes=self.boxes, **self.labels)
        check_columns(f"truth of {self.name}", self.region_frame, regions=self.regions)

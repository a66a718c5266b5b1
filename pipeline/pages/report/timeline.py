"""A video over time, in at most 160 stretches of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.pages.report.columns import BoxColumns

MOST_STRETCHES = 160
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """S stretches of equal length (to a frame), NaN where there is nothing to say.

    Attributes:
        first: int64 (S,), number of the first frame of each stretch.
        last: number of the last frame of the video; -1 if it has none.
        boxes: float64 (S,), boxes a frame.
        fill: float64 (S,), mean share of foreground of the judged boxes.
        believed: float64 (S,), share of the judged boxes that are believed.
        unknown: float64 (S,), share of the pixels that are unknown.
    """

    first: npt.NDArray[np.int64]
    last: int
    boxes: Float64
    fill: Float64
    believed: Float64
    unknown: Float64

    def as_data(self) -> dict[str, Any]:
        """As plain data: lists of numbers of three digits, null where there is nothing to say."""
        columns = {name: _listed(getattr(self, name)) for name in ("boxes", "fill", "believed", "unknown")}
        return {"first_frame": self.first.tolist(), "last_frame": self.last, **columns}


def timeline(numbers: npt.NDArray[np.int64], boxes: BoxColumns, unknown: Float64) -> Timeline:
    """Draw a video together.

    Args:
        numbers: int64 (T,), frame numbers.
        boxes: its boxes.
        unknown: float64 (T,), share of each frame's pixels that is unknown.
    """
    total = len(numbers)
    count = min(total, MOST_STRETCHES)
    edges = np.arange(count + 1) * total // max(count, 1)
    stretch = np.repeat(np.arange(count), np.diff(edges))
    of_box, judged = stretch[boxes.frame], boxes.judged

    def sums(at: npt.NDArray[np.int64], weights: npt.NDArray[Any] | None = None) -> Float64:
        return np.bincount(at, weights, minlength=count).astype(np.float64)

    frames, of_judged = sums(stretch), of_box[judged]
    with np.errstate(invalid="ignore", divide="ignore"):
        return Timeline(
            first=numbers[edges[:-1]],
            last=int(numbers[-1]) if total else -1,
            boxes=sums(of_box) / frames,
            fill=sums(of_judged, boxes.fill[judged]) / sums(of_judged),
            believed=sums(of_judged, boxes.believed[judged]) / sums(of_judged),
            unknown=sums(stretch, unknown) / frames,
        )


def _listed(values: Float64) -> list[float | None]:
    return [round(value, 3) if np.isfinite(value) else None for value in values.tolist()]

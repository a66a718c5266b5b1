"""Figures of sets of boxes that add up: over a video, over all, over a class, a size, a visibility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 10
"""Steps of the histogram of believability, from 0 to 1."""

Bool = npt.NDArray[np.bool_]
Column = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tally:
    """What there is to say of some boxes.

    Attributes:
        boxes: all of them.
        judged: those whose evidence the rules judged: of a class that holds foreground, in a known frame.
        believed: judged ones that are believed.
        doubtful: judged ones that are not believed, or hardly.
        fill: sum over the judged ones of the share of the box that is foreground.
        histogram: judged ones by believability, :data:`BINS` equal steps from 0 to 1; those without one (of
            older stores) are in none.
    """

    boxes: int = 0
    judged: int = 0
    believed: int = 0
    doubtful: int = 0
    fill: float = 0.0
    histogram: tuple[int, ...] = (0,) * BINS

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.boxes + other.boxes,
            self.judged + other.judged,
            self.believed + other.believed,
            self.doubtful + other.doubtful,
            self.fill + other.fill,
            tuple(a + b for a, b in zip(self.histogram, other.histogram, strict=True)),
        )

    @property
    def mean_fill(self) -> float | None:
        """Mean share of foreground over the judged boxes; None if there are none."""
        return self.fill / self.judged if self.judged else None

    @property
    def believed_share(self) -> float | None:
        """Share of the judged boxes that are believed; None if there are none."""
        return self.believed / self.judged if self.judged else None

    def as_data(self) -> dict[str, Any]:
        """As plain data, means instead of sums."""
        return {
            "boxes": self.boxes,
            "judged": self.judged,
            "believed": self.believed,
            "doubtful": self.doubtful,
            "mean_fill": _rounded(self.mean_fill),
            "believability": list(self.histogram),
        }


def tally(judged: Bool, believed: Bool, doubtful: Bool, fill: Column, believability: Column) -> Tally:
    """Count boxes.

    Args:
        judged: bool (N,).
        believed: bool (N,).
        doubtful: bool (N,).
        fill: float32 (N,), 0 to 1.
        believability: float32 (N,), 0 to 1 or NaN.
    """
    known = believability[judged & np.isfinite(believability)].astype(np.float64)
    counts = np.bincount(np.minimum((known * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    return Tally(
        boxes=len(judged),
        judged=int(judged.sum()),
        believed=int((judged & believed).sum()),
        doubtful=int((judged & doubtful).sum()),
        fill=float(fill[judged].sum(dtype=np.float64)),
        histogram=tuple(counts.tolist()),
    )


def added(parts: Mapping[str, Tally], more: Mapping[str, Tally]) -> dict[str, Tally]:
    """Tallies by name, those of equal name added up; in the order in which names came."""
    return {name: parts.get(name, Tally()) + more.get(name, Tally()) for name in {**parts, **more}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

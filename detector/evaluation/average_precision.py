"""Precision over recall, pooled over sequences, and its summaries.

``area``: all points, as in PASCAL VOC from 2010 on. ``interpolated``: mean of the precision at equally spaced
recalls, 11 of them in VOC 2007, 101 in COCO.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spotlabel.detector.evaluation.matching import Bool, Matches
from spotlabel.detector.evaluation.records import Float64
from spotlabel.pipeline.errors import SpotlabelError


class EvaluationError(SpotlabelError):
    """Detections or ground truth that the benchmark's rules cannot judge."""


@dataclass(frozen=True)
class Evaluation:
    """One precision-recall curve and its summaries; a point per detection, from the surest down.

    Attributes:
        score: float64 (D,).
        recall: float64 (D,).
        precision: float64 (D,).
        ap: area under the curve, in [0, 1]; 0 without detections, NaN without objects.
        ap11: mean over 11 recalls, like ``ap``.
        objects: number of objects.
        hits: number of objects found.
        in_regions: detections left out because of ignore regions.
        outside: detections left out because their frame is not evaluated.
        uncounted: detections left out because they found an object that does not count.
    """

    score: Float64
    recall: Float64
    precision: Float64
    ap: float
    ap11: float
    objects: int
    hits: int
    in_regions: int
    outside: int
    uncounted: int

    @property
    def percent(self) -> float:
        """``ap`` as the benchmarks print it: percent, two decimals."""
        return round(100 * self.ap, 2)

    def __str__(self) -> str:
        return (
            f"AP {self.percent:.2f} (11-point {100 * self.ap11:.2f}): {self.hits} of {self.objects} objects, "
            f"{len(self.score)} detections, {self.in_regions} more in ignore regions, "
            f"{self.outside} outside the evaluated frames"
        )


def area(recall: Float64, precision: Float64) -> float:
    """Area under the curve, precision made monotone from the right.

    Args:
        recall: (D,), never falling.
        precision: (D,).

    Returns:
        Value in [0, 1].
    """
    steps = np.diff(np.concatenate([[0.0], recall]))
    return float((steps * _envelope(precision)).sum())


def interpolated(recall: Float64, precision: Float64, points: int = 11) -> float:
    """Mean over ``points`` equally spaced recalls of the best precision at that recall or a higher one."""
    wanted = np.arange(points) / (points - 1)
    place = np.searchsorted(recall, wanted, side="left")
    return float(np.concatenate([_envelope(precision), [0.0]])[place].mean())


def _envelope(precision: Float64) -> Float64:
    reached: Float64 = np.maximum.accumulate(precision[::-1])[::-1]
    return reached


def evaluate(matches: Iterable[Matches]) -> Evaluation:
    """Pool sequences into one curve; equal scores keep the order of sequences and frames."""
    parts = list(matches)
    score: Float64 = np.concatenate([np.zeros(0), *(part.score for part in parts)])
    hit: Bool = np.concatenate([np.zeros(0, np.bool_), *(part.hit for part in parts)])
    objects = sum(part.objects for part in parts)
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(hit[order])
    precision = found / np.arange(1, len(score) + 1)
    recall = found / objects if objects else np.full(len(score), np.nan)
    return Evaluation(
        score=score[order],
        recall=recall,
        precision=precision,
        ap=area(recall, precision) if objects else float("nan"),
        ap11=interpolated(recall, precision) if objects else float("nan"),
        objects=objects,
        hits=int(hit.sum()),
        in_regions=sum(part.in_regions for part in parts),
        outside=sum(part.outside for part in parts),
        uncounted=sum(part.uncounted for part in parts),
    )

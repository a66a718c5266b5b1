"""Figures of one run, through the evaluator of :mod:`spotlabel.detector.evaluation`."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.paired.boxes import Boxes, Float64, as_detections, as_truth, met
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.matching import match_sequence

SURE = 0.3
"""Recall and twin rate count detections with a higher score than this."""

FIGURES = ("ap70", "ap50", "recall", "twin_rate")


def measure(boxes: Sequence[Boxes], twins: Sequence[Boxes], found: Float64) -> dict[str, float]:
    """Figures of detections on the test scenes.

    Args:
        boxes: annotated vehicles of each scene, (N, 4) as x0, y0, x1, y1.
        twins: un-annotated vehicles of each scene, likewise.
        found: (scenes, K, 6), x0, y0, x1, y1 in pixels, score, class.

    Returns:
        In percent: ``ap70`` and ``ap50``, area under the precision-recall curve at IoU 0.7 and 0.5;
        ``recall`` and ``twin_rate``, share of the vehicles and of the twins that a detection with score
        above 0.3 meets at IoU 0.5 or more.
    """
    vehicles, decoys, all_found = as_truth("vehicles", boxes), as_truth("twins", twins), as_detections(found)
    sure = all_found.select(all_found.score > SURE)
    return {
        "ap70": 100 * evaluate([match_sequence(vehicles, all_found, 0.7)]).ap,
        "ap50": 100 * evaluate([match_sequence(vehicles, all_found, 0.5)]).ap,
        "recall": met(vehicles, sure),
        "twin_rate": met(decoys, sure),
    }

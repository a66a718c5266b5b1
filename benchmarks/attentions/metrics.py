"""Figures of one run, through the evaluator of :mod:`spotlabel.detector.evaluation`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.attentions.settings import CLASSES
from benchmarks.paired.boxes import Float64, as_detections, as_truth, met
from benchmarks.paired.scenes import Scene
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.matching import match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth
from spotlabel.detector.regions.nms import keep_best

RECALL = 0.8
"""False alarms are counted where a detector finds this share of the vehicles: scores of different families
are no common scale, and a common threshold would compare thresholds."""

FIGURES = ("ap50", "ap70", "ap75", "twin_rate", "ap50_hidden", "ap50_alike")


def measure(scenes: Sequence[Scene], found: Float64, found_hidden: Float64) -> dict[str, float]:
    """Figures of detections on the test scenes.

    Args:
        scenes: the truth.
        found: (scenes, K, 6), x0, y0, x1, y1 in pixels, score, class; rows of score 0 are none.
        found_hidden: likewise, on the pictures with patches.

    Returns:
        In percent: ``ap50``, ``ap70``, ``ap75``, areas under the precision-recall curve at these IoUs
        whatever the class (boxes of both classes on one place count once); ``twin_rate``, share of the twins
        that a detection meets at IoU 0.5, among those detections, surest first, that find 80 % of the
        vehicles (all of them, where a detector does not find so many); ``ap50_hidden``, as ``ap50`` on the
        pictures with patches; ``ap50_alike``, mean over the two classes of the area at IoU 0.5 with the
        class told right.
    """
    vehicles = as_truth("vehicles", [scene.boxes for scene in scenes])
    twins = as_truth("twins", [scene.twins for scene in scenes])
    every, every_hidden = (as_real(once_per_place(rows)) for rows in (found, found_hidden))
    sure = every.select(every.score >= threshold_at(vehicles, every))
    return {
        **{f"ap{share}": _ap(vehicles, every, share / 100) for share in (50, 70, 75)},
        "twin_rate": met(twins, sure),
        "ap50_hidden": _ap(vehicles, every_hidden, 0.5),
        "ap50_alike": float(np.mean([_ap_of_class(scenes, found, kind) for kind in range(CLASSES)])),
    }


def _ap(truth: Truth, found: Detections, iou: float) -> float:
    return 100 * evaluate([match_sequence(truth, found, iou)]).ap


def _ap_of_class(scenes: Sequence[Scene], found: Float64, kind: int) -> float:
    truth = as_truth("vehicles", [scene.boxes[scene.kinds == kind] for scene in scenes])
    own = found.copy()
    own[:, :, 4] *= found[:, :, 5] == kind
    return _ap(truth, as_real(own), 0.5)


def as_real(found: Float64) -> Detections:
    """Detections (scenes, K, 6) as columns, without the rows of score 0 that fill up."""
    every = as_detections(found)
    return every.select(every.score > 0)


def threshold_at(vehicles: Truth, found: Detections) -> float:
    """Score of the detection with which :data:`RECALL` of the vehicles are met; 0 if they never are."""
    curve = evaluate([match_sequence(vehicles, found, 0.5)])
    reached = np.flatnonzero(curve.recall >= RECALL)
    return float(curve.score[reached[0]]) if len(reached) else 0.0


def once_per_place(found: Float64) -> Float64:
    """Detections (scenes, K, 6) with the score 0 where a surer one of any class overlaps by IoU above 0.5."""
    boxes, scores = torch.from_numpy(found[:, :, :4].copy()), torch.from_numpy(found[:, :, 4].copy())
    masked = torch.where(scores > 0, scores, -torch.inf)
    places, real = keep_best(boxes, masked, 0.5, found.shape[1])
    kept = torch.zeros_like(scores).scatter_add(1, places, real.to(scores.dtype)) > 0
    once = found.copy()
    once[:, :, 4] *= kept.numpy()
    return once

"""Average precision per class and its mean, by the rules of the VOC development kit.

Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010, section 4.2; 11 points in 2007, the
area from 2010 on. Boxes are left, top, width, height with the last pixel counted in, so that widths are one
larger than differences of corners, as in the kit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spotlabel.detector.evaluation.average_precision import Evaluation, EvaluationError, evaluate
from spotlabel.detector.evaluation.matching import Bool, Matches, iou_matrix
from spotlabel.detector.evaluation.records import Detections, Float64, Int64, Truth

IOU = 0.5
"""The kit's smallest overlap of a match."""


@dataclass(frozen=True)
class VocTruth:
    """Ground truth of a set of pictures; pictures are numbered from 1.

    Attributes:
        pictures: their names.
        classes: names of the classes that have objects.
        objects: all objects, with the columns ``class`` (index into ``classes``) and ``difficult`` (0 or 1).
    """

    pictures: tuple[str, ...]
    classes: tuple[str, ...]
    objects: Truth


@dataclass(frozen=True)
class VocFigures:
    """Figures of a set.

    Attributes:
        classes: by class; NaN where all objects are difficult.
        ap07: mean over classes of the 11-point figure, in [0, 1].
        area: mean over classes of the area under the curve.
    """

    classes: Mapping[str, Evaluation]
    ap07: float
    area: float


def voc_figures(truth: VocTruth, detections: Mapping[str, Detections], iou: float = IOU) -> VocFigures:
    """Figures of detections in the pictures of ``truth``.

    Args:
        truth: ground truth.
        detections: by class name; a class without an entry has no detections.
        iou: smallest overlap of a match.

    Raises:
        EvaluationError: there is not one object that counts.
    """
    classes = {
        name: evaluate([match_class(truth, k, detections.get(name, _none()), iou)])
        for k, name in enumerate(truth.classes)
    }
    counted = [result for result in classes.values() if result.objects]
    if not counted:
        raise EvaluationError("VOC's figures need at least one object that is not difficult")
    return VocFigures(
        classes=classes,
        ap07=float(np.mean([result.ap11 for result in counted])),
        area=float(np.mean([result.ap for result in counted])),
    )


def match_class(truth: VocTruth, number: int, detections: Detections, iou: float) -> Matches:
    """Match the detections of one class, over all pictures, from the surest to the least sure.

    Every detection has the object of its picture with the largest overlap, the first of equals, whether
    that object has been found or not. If they overlap enough, the surest detection of an object is a hit and
    all others are false; those of a difficult object do not count.

    Args:
        truth: ground truth.
        number: of the class.
        detections: of this class.
        iou: smallest overlap of a match.
    """
    rows = np.flatnonzero(truth.objects.labels["class"] == number)
    rows = rows[np.argsort(truth.objects.frame[rows], kind="stable")]
    difficult: Bool = truth.objects.labels["difficult"][rows] != 0
    ordered = detections.select(np.argsort(-detections.score, kind="stable"))
    best = _best_objects(truth.objects.frame[rows], truth.objects.boxes[rows], ordered, iou)
    found = np.flatnonzero(best >= 0)
    _, first = np.unique(best[found], return_index=True)
    hit = np.zeros(len(ordered), np.bool_)
    hit[found[first]] = True
    uncounted = np.zeros(len(ordered), np.bool_)
    uncounted[found] = difficult[best[found]]
    return Matches(
        score=ordered.score[~uncounted],
        hit=hit[~uncounted],
        objects=int((~difficult).sum()),
        uncounted=int(uncounted.sum()),
    )


def _best_objects(picture: Int64, boxes: Float64, detections: Detections, iou: float) -> Int64:
    """Index of the object (M) that each detection (D) overlaps most and enough, else -1: int64 (D,).

    ``picture``, int64 (M,), does not fall.
    """
    best = np.full(len(detections), -1, np.int64)
    by_picture = np.argsort(detections.frame, kind="stable")
    numbers, starts = np.unique(detections.frame[by_picture], return_index=True)
    for number, found in zip(numbers.tolist(), np.split(by_picture, starts[1:]), strict=False):
        first, last = np.searchsorted(picture, (number, number + 1))
        if first < last:
            overlap = iou_matrix(detections.boxes[found], boxes[first:last])  # (found, objects)
            enough = overlap.max(axis=1) >= iou
            best[found[enough]] = first + overlap.argmax(axis=1)[enough]
    return best


def _none() -> Detections:
    return Detections(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))

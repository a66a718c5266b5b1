"""The detection benchmark of UAVDT (Du et al., ECCV 2018): AP at IoU 0.7, classes ignored.

Rules of its Matlab toolkit: sequences of fixed length; a detection strictly inside one ignore rectangle of
its frame vanishes, except in two sequences where the toolkit leaves that step out.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detector.evaluation.average_precision import Evaluation, evaluate
from detector.evaluation.matching import Bool, Matches, match_sequence
from detector.evaluation.records import Detections, Truth

IOU = 0.7

TEST_LENGTHS = {
    "M0203": 1007,
    "M0205": 646,
    "M0208": 265,
    "M0209": 1576,
    "M0403": 514,
    "M0601": 372,
    "M0602": 480,
    "M0606": 1374,
    "M0701": 1308,
    "M0801": 298,
    "M0802": 1101,
    "M1001": 1859,
    "M1004": 269,
    "M1007": 659,
    "M1009": 604,
    "M1101": 864,
    "M1301": 1182,
    "M1302": 719,
    "M1303": 445,
    "M1401": 1050,
}
"""Frames of the test sequences as the toolkit counts them."""

WITHOUT_IGNORE = frozenset({"M0209", "M0801"})
"""Test sequences whose ignore rectangles the toolkit does not apply."""

CATEGORIES = {"car": 1, "truck": 2, "bus": 3}
"""Values of the label ``category``."""


def inside_regions(truth: Truth, detections: Detections) -> Bool:
    """Which detections lie strictly inside one ignore rectangle of their frame: bool (D,)."""
    order = np.argsort(detections.frame, kind="stable")
    frames = detections.frame[order]
    inside = np.zeros(len(detections), np.bool_)
    for number in np.unique(truth.region_frame):
        here = truth.regions[truth.region_frame == number]
        first, last = np.searchsorted(frames, number), np.searchsorted(frames, number, side="right")
        rows = order[first:last] if number else order
        low = detections.boxes[rows, None, :2]  # (n, 1, 2)
        high = low + detections.boxes[rows, None, 2:]
        within = (low > here[:, :2]) & (high < here[:, :2] + here[:, 2:])  # (n, m, 2)
        inside[rows] |= (within[..., 0] & within[..., 1]).any(axis=1)
    return inside


def match(truth: Truth, detections: Detections, iou: float = IOU, counted: Bool | None = None) -> Matches:
    """Apply the ignore rule, then match.

    Args:
        truth: ground truth, coordinates of the benchmark's files.
        detections: detections in the same coordinates.
        iou: smallest overlap of a match.
        counted: bool (M,), objects to be found; detections of the others are neither hits nor false alarms.

    Returns:
        See :class:`detector.evaluation.matching.Matches`.
    """
    inside = np.zeros(len(detections), np.bool_)
    if truth.name not in WITHOUT_IGNORE:
        inside = inside_regions(truth, detections)
    return match_sequence(truth, detections.select(~inside), iou, counted, in_regions=int(inside.sum()))


def evaluate_objects(
    pairs: Iterable[tuple[Truth, Detections]], label: str, value: int, iou: float = IOU
) -> Evaluation:
    """Average precision on the objects of one kind, such as ``category`` 3 (bus).

    Detections of other objects are neither hits nor false alarms: classes are not predicted, so they cannot
    be told to be wrong.

    Args:
        pairs: ground truth and detections of each sequence.
        label: a column of :attr:`Truth.labels`.
        value: value of that column.
        iou: smallest overlap of a match.

    Returns:
        One pooled curve.
    """
    return evaluate(match(truth, found, iou, truth.labels[label] == value) for truth, found in pairs)

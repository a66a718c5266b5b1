"""The detection benchmark of UAVDT (Du et al., ECCV 2018): AP at IoU 0.7, classes ignored.

Rules of its Matlab toolkit: sequences of fixed length; a detection strictly inside one ignore rectangle of
its frame vanishes, except in two sequences where the toolkit leaves that step out.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spotlabel.detector.evaluation import matching
from spotlabel.detector.evaluation.average_precision import Evaluation, evaluate
from spotlabel.detector.evaluation.matching import Bool, Matches, Pairs
from spotlabel.detector.evaluation.records import Detections, Truth

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

KINDS = {
    "car": ("category", 1),
    "truck": ("category", 2),
    "bus": ("category", 3),
    "no occlusion": ("occlusion", 1),
    "large occlusion": ("occlusion", 2),
    "medium occlusion": ("occlusion", 3),
    "small occlusion": ("occlusion", 4),
    "in view": ("out_of_view", 1),
    "medium out of view": ("out_of_view", 2),
    "small out of view": ("out_of_view", 3),
}
"""Kinds of objects, each a label and its value."""


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


def find_pairs(truth: Truth, detections: Detections, iou: float = IOU) -> Pairs:
    """Apply the ignore rule, then find what may match.

    Args:
        truth: ground truth, coordinates of the benchmark's files.
        detections: detections in the same coordinates.
        iou: smallest overlap of a match.

    Returns:
        See :class:`spotlabel.detector.evaluation.matching.Pairs`.
    """
    inside = np.zeros(len(detections), np.bool_)
    if truth.name not in WITHOUT_IGNORE:
        inside = inside_regions(truth, detections)
    return matching.find_pairs(truth, detections.select(~inside), iou, in_regions=int(inside.sum()))


def match(truth: Truth, detections: Detections, iou: float = IOU) -> Matches:
    """:func:`find_pairs`, then match; all objects count."""
    return find_pairs(truth, detections, iou).match()


def evaluate_objects(prepared: Iterable[tuple[Truth, Pairs]], label: str, value: int) -> Evaluation:
    """Average precision on the objects of one kind, such as ``category`` 3 (bus).

    Detections of other objects are neither hits nor false alarms: kinds are not predicted, so they cannot
    be told to be wrong. The toolkit's script for this (``CalculateDetectionPR_obj``) is not followed: it
    divides by the objects of all kinds, and reads the category where it should read occlusion or out-of-view.

    Args:
        prepared: ground truth and pairs of each sequence.
        label: a column of :attr:`Truth.labels`.
        value: value of that column.

    Returns:
        One pooled curve.
    """
    return evaluate(pairs.match(truth.labels[label] == value) for truth, pairs in prepared)

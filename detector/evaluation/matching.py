"""Greedy matching of detections to ground truth, frame by frame.

The rule is that of the evaluation code which UAVDT and VisDrone share (after P. Dollar's toolbox): detections
in order of score, each takes the free object with the largest IoU at or above the threshold, the later of
equals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from spotlabel.detector.evaluation.records import Detections, Float64, Int64, Truth

Bool = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]

HIT, UNCOUNTED = np.int8(1), np.int8(-1)
NOTHING = (False, 0.0, -1)


@dataclass(frozen=True)
class Matches:
    """What became of the detections of one sequence.

    Attributes:
        score: float64 (D,), by frame, in a frame from high to low.
        hit: bool (D,), found an object; the others are false alarms.
        objects: number of objects that could be found.
        in_regions: detections left out because of ignore regions.
        outside: detections left out because their frame is not evaluated.
        uncounted: detections left out because they found an object that does not count.
    """

    score: Float64
    hit: Bool
    objects: int
    in_regions: int = 0
    outside: int = 0
    uncounted: int = 0


def iou_matrix(a: Float64, b: Float64) -> Float64:
    """IoU of boxes (A, 4) with boxes (B, 4), both left, top, width, height: (A, B); 0 for an empty union."""
    inter = _overlap(a, b, 0) * _overlap(a, b, 1)  # (A, B)
    union = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None, :] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def _overlap(a: Float64, b: Float64, axis: int) -> Float64:
    """Length that boxes (A, 4) and (B, 4) share along x (0) or y (1): (A, B), at least 0."""
    a_low, b_low = a[:, axis], b[:, axis]
    a_high, b_high = a_low + a[:, axis + 2], b_low + b[:, axis + 2]
    shared: Float64 = np.minimum(a_high[:, None], b_high[None, :])
    shared -= np.maximum(a_low[:, None], b_low[None, :])
    return np.maximum(shared, 0, out=shared)


@dataclass(frozen=True)
class Pairs:
    """Detections and objects of one sequence, and every pair of them that overlaps enough for a match.

    Finding the pairs is the slow part; whatever is counted as an object is matched from the same pairs.

    Attributes:
        score: float64 (D,), detections of evaluated frames, by frame and from high to low.
        object_rows: int64 (M,), rows of the ground truth that are in evaluated frames, by frame.
        found: int64 (P,), detection of each pair, never falling.
        objects: int64 (P,), its object, an index into ``object_rows``; rises along the pairs of a detection.
        overlap: float64 (P,), its IoU.
        in_regions: detections left out because of ignore regions.
        outside: detections left out because their frame is not evaluated.
    """

    score: Float64
    object_rows: Int64
    found: Int64
    objects: Int64
    overlap: Float64
    in_regions: int
    outside: int

    def match(self, counted: Bool | None = None) -> Matches:
        """Match greedily, from the surest detection of a frame to the least sure.

        Args:
            counted: bool, one per row of the ground truth; the objects to be found, all by default. An object
                that does not count swallows any number of detections that found no other.
        """
        mask = np.ones(len(self.object_rows), np.bool_) if counted is None else counted[self.object_rows]
        outcome = np.zeros(len(self.score), np.int8)
        taken: set[int] = set()
        pairs = zip(
            self.found.tolist(), mask[self.objects].tolist(), self.overlap.tolist(), self.objects.tolist(),
            strict=True,
        )  # fmt: skip
        for row, group in groupby(pairs, key=itemgetter(0)):  # rows rise, so scores of a frame fall
            # Objects that count come first, then overlap; a later column wins a tie.
            free = (pair[1:] for pair in group if pair[3] not in taken)
            counts, _, column = max(free, default=NOTHING)
            if counts:
                taken.add(column)
            if column >= 0:
                outcome[row] = HIT if counts else UNCOUNTED
        counts = outcome != UNCOUNTED
        return Matches(
            score=self.score[counts],
            hit=outcome[counts] == HIT,
            objects=int(mask.sum()),
            in_regions=self.in_regions,
            outside=self.outside,
            uncounted=int((~counts).sum()),
        )


def find_pairs(truth: Truth, detections: Detections, iou: float, in_regions: int = 0) -> Pairs:
    """Pairs of one sequence; rows of frames outside 1..``truth.frames`` are left out.

    Args:
        truth: ground truth; its ignore regions play no part here.
        detections: detections that survived the benchmark's ignore rule.
        iou: smallest overlap of a match.
        in_regions: passed on to the result.
    """
    rows = np.argsort(truth.frame, kind="stable")
    rows = rows[(truth.frame[rows] >= 1) & (truth.frame[rows] <= truth.frames)]
    objects, object_frame = truth.boxes[rows], truth.frame[rows]
    kept = detections.select((detections.frame >= 1) & (detections.frame <= truth.frames))
    kept = kept.select(np.lexsort((-kept.score, kept.frame)))
    numbers = np.arange(1, truth.frames + 2)
    object_start, found_start = np.searchsorted(object_frame, numbers), np.searchsorted(kept.frame, numbers)
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for i in np.flatnonzero(np.diff(object_start) * np.diff(found_start)):
        first, here = found_start[i], object_start[i]
        overlap = iou_matrix(kept.boxes[first : found_start[i + 1]], objects[here : object_start[i + 1]])
        found, column = np.nonzero(overlap >= iou)
        parts.append((found + first, column + here, overlap[found, column]))
    pairs = [np.concatenate(column) for column in zip(*parts, strict=True)]
    outside = len(detections) - len(kept)
    return Pairs(kept.score, rows, pairs[0], pairs[1], pairs[2], in_regions, outside)


def match_sequence(
    truth: Truth, detections: Detections, iou: float, counted: Bool | None = None, in_regions: int = 0
) -> Matches:
    """:func:`find_pairs`, then :meth:`Pairs.match`."""
    return find_pairs(truth, detections, iou, in_regions).match(counted)

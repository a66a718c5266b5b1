"""Greedy matching of detections to ground truth, frame by frame.

The rule is that of the evaluation code which UAVDT and VisDrone share (after P. Dollar's toolbox): detections
in order of score, each takes the free object with the largest IoU at or above the threshold, the later of
equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.evaluation.records import Detections, Float64, Truth

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


def match_frame(found: Float64, objects: Float64, counted: Bool, iou: float) -> Int8:
    """Match the detections of one frame.

    Args:
        found: (D, 4), from the highest score to the lowest.
        objects: (M, 4).
        counted: (M,); an object that does not count swallows any number of detections that found no other.
        iou: smallest overlap of a match.

    Returns:
        int8 (D,): 1 found an object, 0 false alarm, -1 found only an object that does not count.
    """
    overlap = iou_matrix(found, objects)
    rows, columns = np.nonzero(overlap >= iou)
    pairs = zip(counted[columns].tolist(), overlap[rows, columns].tolist(), columns.tolist(), strict=True)
    candidates: dict[int, list[tuple[bool, float, int]]] = {}
    for row, pair in zip(rows.tolist(), pairs, strict=True):
        candidates.setdefault(row, []).append(pair)
    outcome = np.zeros(len(found), np.int8)
    taken: set[int] = set()
    for row, options in candidates.items():  # rows rise, so scores fall
        # Objects that count come first, then overlap; a later column wins a tie.
        counts, _, column = max((o for o in options if o[2] not in taken), default=NOTHING)
        if counts:
            taken.add(column)
        if column >= 0:
            outcome[row] = HIT if counts else UNCOUNTED
    return outcome


def match_sequence(
    truth: Truth,
    detections: Detections,
    iou: float,
    counted: Bool | None = None,
    in_regions: int = 0,
) -> Matches:
    """Match one sequence; rows of frames outside 1..``truth.frames`` are left out.

    Args:
        truth: ground truth; its ignore regions play no part here.
        detections: detections that survived the benchmark's ignore rule.
        iou: smallest overlap of a match.
        counted: bool (M,), objects to be found; all by default.
        in_regions: passed on to the result.

    Returns:
        See :class:`Matches`.
    """
    mask = np.ones(len(truth.frame), np.bool_) if counted is None else counted
    order = np.argsort(truth.frame, kind="stable")
    objects, mask, object_frame = truth.boxes[order], mask[order], truth.frame[order]
    inside = (detections.frame >= 1) & (detections.frame <= truth.frames)
    kept = detections.select(inside)
    kept = kept.select(np.lexsort((-kept.score, kept.frame)))
    numbers = np.arange(1, truth.frames + 2)
    object_start, found_start = np.searchsorted(object_frame, numbers), np.searchsorted(kept.frame, numbers)
    outcome = np.zeros(len(kept), np.int8)
    for i in np.flatnonzero(np.diff(object_start) * np.diff(found_start)):
        found, here = slice(*found_start[i : i + 2]), slice(*object_start[i : i + 2])
        outcome[found] = match_frame(kept.boxes[found], objects[here], mask[here], iou)
    counts = outcome != UNCOUNTED
    return Matches(
        score=kept.score[counts],
        hit=outcome[counts] == HIT,
        objects=int(mask[object_start[0] : object_start[-1]].sum()),
        in_regions=in_regions,
        outside=len(detections) - len(kept),
        uncounted=int((~counts).sum()),
    )

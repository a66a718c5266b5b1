"""Track ids for boxes that have none: boxes derived from ground-truth pixels, linked by overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.sequence import Annotations

MIN_IOU = 0.3
"""Boxes of two frames that follow each other are one object's if they overlap at least so much."""


def tracked(annotations: Annotations) -> Annotations:
    """The annotations with track ids: their own if they have any, else by :func:`link`."""
    boxes = annotations.boxes
    if (boxes.track_id >= 0).any():
        return annotations
    return replace(annotations, boxes=replace(boxes, track_id=link(boxes)))


def link(boxes: BoxTable) -> npt.NDArray[np.int64]:
    """Greedy linking from frame to frame, the largest IoU first: int64 (N,), ids from 0."""
    tracks = np.full(len(boxes.xyxy), -1, np.int64)
    ids = 0
    for index in range(len(boxes)):
        rows = boxes.rows(index)
        if index:
            before = boxes.rows(index - 1)
            for row, other in _pairs(boxes.xyxy[rows], boxes.xyxy[before]):
                tracks[rows.start + row] = tracks[before.start + other]
        for row in range(rows.start, rows.stop):
            if tracks[row] < 0:
                tracks[row], ids = ids, ids + 1
    return tracks


def _pairs(boxes: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Rows that belong together, each at most once."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None] + (others[:, 2:] - others[:, :2]).prod(axis=1)
    iou = common / np.maximum(areas - common, 1e-9)
    found: list[tuple[int, int]] = []
    for flat in np.argsort(-iou, axis=None, kind="stable").tolist():
        row, other = divmod(flat, len(others))
        if iou[row, other] < MIN_IOU:
            break
        if all(row != r and other != o for r, o in found):
            found.append((row, other))
    return found

"""Annotated boxes that cannot be objects as they stand: left out or refused, counted and told."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.errors import DatasetError

logger = logging.getLogger("spotlabel")

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


def with_area(rects: NativeRects) -> Bool:
    """Which rectangles are not empty, bool (N,): neither width nor height is 0.

    Negative sides and numbers that are not finite are no empty rectangles but errors, and stay.
    """
    empty: Bool = (rects.xyxy[:, 2:] == rects.xyxy[:, :2]).any(axis=1)
    return ~empty


def without_empty(boxes: NativeBoxes) -> NativeBoxes:
    """The boxes that have an area; warns of the number of the others."""
    keep = with_area(boxes.rects)
    if keep.all():
        return boxes
    _tell(boxes.rects, ~keep, "without area, left out", "dataset.bad_boxes=fail")
    return boxes.select(keep)


def regions_with_area(rects: NativeRects) -> NativeRects:
    """The ignore regions that have an area; warns of the number of the others."""
    keep = with_area(rects)
    if keep.all():
        return rects
    _tell(rects, ~keep, "(ignore regions) without area, left out", "dataset.bad_boxes=fail")
    return rects.select(keep)


def check_tracks(boxes: NativeBoxes, repeated: Literal["fail", "untrack"]) -> NativeBoxes:
    """Boxes of which no two in one frame have one track.

    Args:
        boxes: as annotated.
        repeated: what to do with a track that is in a frame more than once: an error, or copies of a box are
            left out and boxes that differ have no track in that frame. Nobody can say which of
            them the track goes on with, and masks need their places alone.

    Raises:
        DatasetError: a track id below -1, or a track twice in a frame if that is an error.
    """
    if (boxes.track_id < -1).any():
        row = int(np.flatnonzero(boxes.track_id < -1)[0])
        problem = f"track id is {boxes.track_id[row]}, expected 0 or more, or -1 for none"
        raise DatasetError.at(boxes.rects.path, boxes.rects.where(row), problem)
    again = _again(boxes)
    if not again.any():
        return boxes
    if repeated == "fail":
        row = int(np.flatnonzero(again)[0])
        problem = f"track id {boxes.track_id[row]} a second time in frame {boxes.rects.frame[row]}"
        advice = "one box per object and frame; dataset.repeated_tracks=untrack takes them without a track"
        raise DatasetError.at(boxes.rects.path, boxes.rects.where(row), problem, advice)
    copies = _copies(boxes)
    if copies.any():
        _tell(boxes.rects, copies, "that are copies of another, left out", "dataset.repeated_tracks=fail")
        boxes = boxes.select(~copies)
    shared = _shared(boxes)
    if shared.any():
        what = "whose track is in the frame more than once, taken without a track there"
        _tell(boxes.rects, shared, what, "dataset.repeated_tracks=fail")
    return replace(boxes, track_id=np.where(shared, np.int64(-1), boxes.track_id))


def _again(boxes: NativeBoxes) -> Bool:
    """Rows whose track was in their frame before, bool (N,)."""
    keys = np.stack([boxes.rects.frame, boxes.track_id], axis=1)
    return _seen_before(keys) & (boxes.track_id >= 0)


def _copies(boxes: NativeBoxes) -> Bool:
    """Rows that say the same as one before: frame, track, class and place; bool (N,)."""
    keys = np.stack([boxes.rects.frame, boxes.track_id, boxes.class_id.astype(np.int64)], axis=1)
    return _seen_before(np.concatenate([keys.astype(np.float64), boxes.rects.xyxy], axis=1)) & _again(boxes)


def _seen_before(keys: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> Bool:
    """Which rows of ``keys``, (N, K), are equal to an earlier one, bool (N,)."""
    first = np.zeros(len(keys), np.bool_)
    first[np.unique(keys, axis=0, return_index=True)[1]] = True
    return ~first


def _shared(boxes: NativeBoxes) -> Bool:
    """Rows whose track is in their frame more than once, bool (N,)."""
    keys = np.stack([boxes.rects.frame, boxes.track_id], axis=1)
    _, which, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    return (counts[which.reshape(-1)] > 1) & (boxes.track_id >= 0)


def _tell(rects: NativeRects, rows: Bool, what: str, otherwise: str) -> None:
    count, first = int(rows.sum()), rects.where(int(np.flatnonzero(rows)[0]))
    boxes = f"{count} box{'es' * (count != 1)} {what}"
    logger.warning("%s: %s, the first: %s (%s refuses them)", rects.path, boxes, first, otherwise)

"""Temporal consistency: whether an object keeps its shape from frame to frame along its track.

Two boxes of a track are compared cell by cell of their shapes (:mod:`spotlabel.labelers.masks.shapes`),
which shifts and scales the one mask onto the other by the boxes' own move. Nothing else is needed of a
neighbouring frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import has_pixels
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.shapes import Shapes
from spotlabel.labelers.masks.values import Rects

NO_TRACK = -1
"""Track of a box that belongs to none."""

Tracks = npt.NDArray[np.int64]


def comparable_tracks(tracks: Tracks, rects: Rects, shape: tuple[int, int]) -> Tracks:
    """Tracks of the boxes whose shape can be compared: int64 (N,), :data:`NO_TRACK` for the others.

    A box at the image's border holds a part of its object that changes from frame to frame, so its move says
    nothing about the object's; a box without pixels has no shape.

    Args:
        tracks: int64 (N,), :data:`NO_TRACK` where there is none.
        rects: int64 (N, 4).
        shape: height and width of the image.
    """
    inside = (rects[:, 0] > 0) & (rects[:, 1] > 0) & (rects[:, 2] < shape[1]) & (rects[:, 3] < shape[0])
    return np.where(inside & has_pixels(rects), tracks, NO_TRACK)


def shape_iou(first: Shapes, second: Shapes) -> Column:
    """IoU of boxes in pairs.

    Args:
        first: uint8 (N, GRID, GRID), 0 or 1.
        second: the same; row i is compared with row i.

    Returns:
        float32 (N,), 0 to 1; 0 where both are empty: that two boxes hold nothing confirms nothing.
    """
    both = np.count_nonzero(first & second, axis=(1, 2))
    either = np.count_nonzero(first | second, axis=(1, 2))
    iou: Column = (both / np.maximum(either, 1)).astype(np.float32)
    return iou


def neighbour_iou(first: tuple[Tracks, Shapes], second: tuple[Tracks, Shapes]) -> tuple[Column, Column]:
    """Compare the boxes of two frames that follow each other, along their tracks.

    Args:
        first: tracks int64 (N,) and shapes of the boxes of the one frame.
        second: the same of M boxes of the other.

    Returns:
        float32 (N,) and (M,): IoU of each box with the box of its track in the other frame; NaN where there
        is none.
    """
    one, other = np.full(len(first[0]), np.nan, np.float32), np.full(len(second[0]), np.nan, np.float32)
    place = {track: row for row, track in enumerate(first[0].tolist()) if track != NO_TRACK}
    pairs = [(place[track], row) for row, track in enumerate(second[0].tolist()) if track in place]
    if pairs:
        rows, others = (list(column) for column in zip(*pairs, strict=True))
        iou = shape_iou(first[1][rows], second[1][others])
        one[rows], other[others] = iou, iou
    return one, other

"""Whether an object keeps its shape from frame to frame, judged along its track.

A box's foreground is sampled on a grid that is fixed to the box. Two boxes of a track are then compared cell
by cell, which shifts and scales the one mask onto the other by the boxes' own move. Only these few hundred
bytes a box are kept of a neighbouring frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from labelers.masks.cues import Column
from labelers.masks.values import Plane, Rects

GRID = 24
"""Cells along either side of a box."""
NO_TRACK = -1

Shapes = npt.NDArray[np.uint8]
"""(N, GRID * GRID), 0 or 1: the foreground of N boxes, each in its own grid."""
Tracks = npt.NDArray[np.int64]


def box_shapes(mask: Plane, rects: Rects, wanted: npt.NDArray[np.bool_]) -> Shapes:
    """Foreground of each box on the grid of the box.

    Args:
        mask: uint8 (H, W), background or foreground.
        rects: int64 (N, 4).
        wanted: bool (N,), boxes whose shape will be compared; none without pixels.

    Returns:
        uint8 (N, GRID * GRID): 1 where about half of the cell or more is foreground; 0 for the other boxes.
    """
    shapes = np.zeros((len(rects), GRID, GRID), np.uint8)
    for shape, (x0, y0, x1, y1), needed in zip(shapes, rects.tolist(), wanted.tolist(), strict=True):
        if needed:
            cv2.resize(mask[y0:y1, x0:x1], (GRID, GRID), dst=shape, interpolation=cv2.INTER_AREA)
    return shapes.reshape(len(rects), GRID * GRID)


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
    some = (rects[:, 2] > rects[:, 0]) & (rects[:, 3] > rects[:, 1])
    return np.where(inside & some, tracks, NO_TRACK)


def shape_iou(first: Shapes, second: Shapes) -> Column:
    """IoU of boxes in pairs.

    Args:
        first: uint8 (N, C), 0 or 1.
        second: the same; row i is compared with row i.

    Returns:
        float32 (N,), 0 to 1; 0 where both are empty: that two boxes hold nothing confirms nothing.
    """
    both = (first & second).sum(axis=1, dtype=np.int64)
    either = (first | second).sum(axis=1, dtype=np.int64)
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
        found = shape_iou(first[1][rows], second[1][others])
        one[rows], other[others] = found, found
    return one, other

"""Which boxes are the same object: by track where there is one, else by overlap from frame to frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import Float32

LINKING_IOU = 0.3
"""A box without a track goes on with the box of the frame before that it overlaps at least so much."""

Index = npt.NDArray[np.int64]


def object_numbers(frame_of: Index, xyxy: Float32, track_id: Index) -> Index:
    """A number per box that is the same for all boxes of an object.

    Good enough to show each object once; no tracker: an object without a track that is gone for a frame, or
    moves on by more than its own length, counts as another one.

    Args:
        frame_of: int64 (N,), position of each box's frame, rising.
        xyxy: float32 (N, 4).
        track_id: int64 (N,), -1 where there is none.

    Returns:
        int64 (N,): the track, or a negative number of its own for each object without one.
    """
    numbers = track_id.copy()
    last_frame, last = -2, np.zeros(0, np.int64)
    objects = 0
    for frame in np.unique(frame_of[track_id < 0]).tolist():
        low, high = np.searchsorted(frame_of, [frame, frame + 1])
        here = low + np.flatnonzero(track_id[low:high] < 0)
        before = last if frame == last_frame + 1 else last[:0]
        overlaps = _ious(xyxy[here], xyxy[before])
        for row, box in zip(overlaps, here, strict=True):
            if len(before) and row.max() >= LINKING_IOU:
                numbers[box] = numbers[before[row.argmax()]]
            else:
                objects += 1
                numbers[box] = -objects
        last_frame, last = frame, here
    return numbers


def _ious(a: Float32, b: Float32) -> npt.NDArray[np.float64]:
    """IoU of each box of (N, 4) with each of (M, 4): float64 (N, M)."""
    one, other = a[:, None].astype(np.float64), b[None].astype(np.float64)
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    common = np.maximum(sides, 0).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (one, other)]
    return np.asarray(common / np.maximum(areas[0] + areas[1] - common, 1e-9))

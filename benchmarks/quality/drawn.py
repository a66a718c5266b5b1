"""Boxes as people draw them: drawn every so many frames with interpolated ones between, or imprecise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmarks.believability.tracks import tracked
from spotlabel.pipeline.boxes import clip_boxes
from spotlabel.pipeline.sequence import Annotations

SEED = 16
"""Of the jitter."""

Size = tuple[int, int]
Change = Callable[[Annotations, Size], Annotations]
"""Makes other boxes of the annotations of a sequence with images of this height and width."""

Float32 = npt.NDArray[np.float32]


def interpolated(every: int) -> Change:
    """Keep the first box of every track, every so many after it and the last; interpolate between these.

    Boxes that have no track ids are linked by overlap, see :mod:`benchmarks.believability.tracks`; the ids
    stay as they are.
    """

    def change(annotations: Annotations, size: Size) -> Annotations:
        boxes, tracks = annotations.boxes, tracked(annotations).boxes.track_id
        xyxy = boxes.xyxy.copy()
        frames = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
        for track in np.unique(tracks[tracks >= 0]):
            rows = np.flatnonzero(tracks == track)
            xyxy[rows] = _between_keys(frames[rows], boxes.xyxy[rows], every)
        return replace(annotations, boxes=replace(boxes, xyxy=xyxy))

    return change


def _between_keys(frames: npt.NDArray[np.intp], xyxy: Float32, every: int) -> Float32:
    """Boxes (n, 4) of one track, of which those between the drawn ones are interpolated over the frames."""
    drawn = np.unique(np.append(np.arange(0, len(frames), every), len(frames) - 1))
    sides = [np.interp(frames, frames[drawn], xyxy[drawn, side]) for side in range(4)]
    return np.stack(sides, axis=1).astype(np.float32)


def jittered(share: float) -> Change:
    """Move every edge of every box by a normal deviate of this share of the box's width or height.

    Edges move independently of each other and from frame to frame, from the seed :data:`SEED`; boxes are cut
    at the image's border.
    """

    def change(annotations: Annotations, size: Size) -> Annotations:
        boxes = annotations.boxes
        sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
        moves = np.random.default_rng(SEED).normal(0, share, boxes.xyxy.shape) * np.tile(sides, 2)
        xyxy = clip_boxes(boxes.xyxy + moves.astype(np.float32), size)
        return replace(annotations, boxes=replace(boxes, xyxy=_not_inside_out(xyxy)))

    return change


def _not_inside_out(xyxy: Float32) -> Float32:
    """Boxes (N, 4), where edges have passed each other exchanged."""
    low, high = xyxy[:, :2], xyxy[:, 2:]
    return np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)

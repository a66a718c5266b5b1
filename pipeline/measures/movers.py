"""Boxes that move steadily from frame to frame, and the frames in which there is something to see of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable, Float32

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

FRAMES = 20
"""Frames looked at, at most."""
MIN_MOVE = (1.5, 0.03)
"""A box moves if it does so by this many px, and by this share of its size, towards either neighbour."""
MIN_OVERLAP = 0.3
"""Boxes without a track are one object's if their IoU is above this from frame to frame."""
MIN_SIDE = 6.0
"""Smaller boxes (px) tell nothing of a shift."""


@dataclass(frozen=True)
class Movers:
    """Boxes that move steadily, with their tracks' boxes one frame before and after: M of them.

    Attributes:
        frame: int64 (M,), positions of their frames.
        before, here, after: float32 (M, 4).
    """

    frame: Int64
    before: Float32
    here: Float32
    after: Float32


def movers(boxes: BoxTable, size: tuple[int, int]) -> Movers:
    """Find the boxes whose move tells one frame from the next.

    They have boxes of their track in both neighbouring frames, all three off the image's border and about
    equally large, and move on in about the same direction. Where no box has a track, boxes that overlap most
    from frame to frame are taken for one.

    Args:
        boxes: of a whole video.
        size: height and width, px.
    """
    tracked = bool((boxes.track_id >= 0).any())
    found = Movers(*(_by_track(boxes) if tracked else _by_overlap(boxes)))
    kept = _steady(found, size)
    here = found.here[kept]
    return Movers(found.frame[kept], _onto(here, found.before[kept]), here, _onto(here, found.after[kept]))


def _onto(boxes: Float32, others: Float32) -> Float32:
    """Boxes moved onto the centres of others: a box that grows must not pass for one that moves."""
    move = (others[:, :2] + others[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2
    return np.asarray(boxes + np.tile(move, 2), np.float32)


def _by_track(boxes: BoxTable) -> tuple[Int64, Float32, Float32, Float32]:
    """Boxes with others of their track in both neighbouring frames."""
    frame = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    order = np.lexsort((frame, boxes.track_id))
    track, at = boxes.track_id[order], frame[order]
    follows = (track[1:] == track[:-1]) & (track[1:] >= 0) & (at[1:] == at[:-1] + 1)
    middle = np.flatnonzero(follows[:-1] & follows[1:]) + 1
    before, here, after = (boxes.xyxy[order[middle + step]] for step in (-1, 0, 1))
    return at[middle], before, here, after


def _by_overlap(boxes: BoxTable) -> tuple[Int64, Float32, Float32, Float32]:
    """Boxes with one in both neighbouring frames that overlaps them most, and they it; in some frames."""
    counts = np.diff(boxes.offsets)
    usable = np.zeros(len(counts), np.bool_)
    usable[1:-1] = (counts[:-2] > 0) & (counts[2:] > 0)
    frames, triples = [np.zeros(0, np.int64)], [np.zeros((3, 0, 4), np.float32)]
    for index in chosen_frames(counts, usable, 3 * FRAMES).tolist():
        here = boxes.at(index)
        before, after = (_partners(here, boxes.at(index + step)) for step in (-1, 1))
        kept = (before >= 0) & (after >= 0)
        parts = (boxes.at(index - 1)[before[kept]], here[kept], boxes.at(index + 1)[after[kept]])
        triples.append(np.stack(parts))
        frames.append(np.full(int(kept.sum()), index, np.int64))
    three = np.concatenate(triples, axis=1)
    return np.concatenate(frames), three[0], three[1], three[2]


def _partners(here: Float32, there: Float32) -> Int64:
    """Row in ``there`` of the box that overlaps each one most, and that one it: int64 (N,), -1 for none."""
    corners = np.minimum(here[:, None, 2:], there[None, :, 2:]) - np.maximum(
        here[:, None, :2], there[None, :, :2]
    )
    common = np.clip(corners, 0, None).prod(axis=2)
    areas = [(side[:, 2:] - side[:, :2]).prod(axis=1) for side in (here, there)]
    iou = common / (areas[0][:, None] + areas[1][None] - common)
    best = iou.argmax(axis=1)
    rows = np.arange(len(here))
    mutual = (iou.argmax(axis=0)[best] == rows) & (iou[rows, best] > MIN_OVERLAP)
    return np.where(mutual, best, -1)


def _steady(found: Movers, size: tuple[int, int]) -> Bool:
    three = np.stack([found.before, found.here, found.after]).astype(np.float64)
    sides = three[..., 2:] - three[..., :2]
    moves = np.diff((three[..., :2] + three[..., 2:]) / 2, axis=0)
    length = np.linalg.norm(moves, axis=2)
    area = sides.prod(axis=2)
    reach = np.maximum(MIN_MOVE[0], MIN_MOVE[1] * np.sqrt(area[1]))
    on = (moves[0] * moves[1]).sum(axis=1) > 0.5 * length[0] * length[1]
    inside = (three[..., :2] > 1).all(axis=(0, 2)) & (three[..., 2:] < np.array(size[::-1]) - 1).all(
        axis=(0, 2)
    )
    equal = area.max(axis=0) < 1.3 * area.min(axis=0)
    large = sides.min(axis=(0, 2)) >= MIN_SIDE
    steady: Bool = (length >= reach).all(axis=0) & on & inside & equal & large
    return steady


def chosen_frames(weight: Int64, usable: Bool, count: int = FRAMES) -> Int64:
    """At most ``count`` of the usable frames with something to see, evenly spread over them; rising.

    Args:
        weight: int64 (T,), how much there is to see in each frame.
        usable: bool (T,).
        count: >= 1.
    """
    there = np.flatnonzero(usable & (weight > 0))
    spread = np.unique(
        np.linspace(0, max(len(there) - 1, 0), min(count, len(there))).round().astype(np.int64)
    )
    return there[spread]

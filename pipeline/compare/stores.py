"""Two mask stores of one video, compared frame by frame: two masks are in memory, never a video."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import touched_rects
from spotlabel.pipeline.boxes import Float32
from spotlabel.pipeline.compare.changes import Changes, frame_changes
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.store import MaskReader

Index = npt.NDArray[np.int64]


class CompareError(SpotlabelError):
    """Two label versions that cannot be compared."""


@dataclass(frozen=True)
class Comparison:
    """What changed in one video; F frames and N boxes are in both versions.

    Attributes:
        sequence: its name.
        numbers: frame numbers, int64 (F,).
        frames: changes of whole frames (F places).
        boxes: changes inside boxes (N places), in the order of the frames.
        frame_of: int64 (N,), position in ``numbers`` of each box's frame.
        box_a: int64 (N,), index of the box among those of its frame in A.
        box_b: likewise in B.
        xyxy: float32 (N, 4), pixel edges.
        track_id: int64 (N,), A's; -1 where there is none.
        class_name: A's, one per box.
        believed_a: bool (N,), A believed the box's evidence.
        believed_b: likewise B.
        lone_frames: number of frames only A has, and only B.
        lone_boxes: number of boxes only A has, and only B, in the frames of both.
    """

    sequence: str
    numbers: Index
    frames: Changes
    boxes: Changes
    frame_of: Index
    box_a: Index
    box_b: Index
    xyxy: Float32
    track_id: Index
    class_name: tuple[str, ...]
    believed_a: npt.NDArray[np.bool_]
    believed_b: npt.NDArray[np.bool_]
    lone_frames: tuple[int, int]
    lone_boxes: tuple[int, int]


def compare_stores(
    a: MaskReader, b: MaskReader, progress: FrameProgress = lambda done, total: None
) -> Comparison:
    """Compare the masks of one video in two versions.

    Frames are matched by number, boxes by their coordinates (:func:`match_boxes`). A box's pixels are those
    it touches, whatever the mask settings made of its edges.

    Raises:
        CompareError: the image sizes differ, or no frame is in both.
        StoreError: a store is missing or damaged.
    """
    if a.size != b.size:
        raise CompareError(
            f"{a.sequence}: the masks are {_size(a)} px in {a.path} and {_size(b)} px in {b.path}; "
            "only masks of the same images can be compared"
        )
    numbers, at_a, at_b = np.intersect1d(a.numbers, b.numbers, assume_unique=True, return_indices=True)
    if not len(numbers):
        raise CompareError(f"{a.sequence}: no frame number is in both {a.path} and {b.path}")
    frames, boxes, pairs = [], [], []
    for position, (i, j) in enumerate(zip(at_a.tolist(), at_b.tolist(), strict=True)):
        matched = match_boxes(a.boxes.at(i), b.boxes.at(j))
        rects = touched_rects(a.boxes.at(i)[matched[:, 0]], a.size)
        whole, inside = frame_changes(a.read(i), b.read(j), rects)
        frames.append(whole)
        boxes.append(inside)
        pairs.append(np.column_stack([np.full(len(matched), position, np.int64), matched]))
        progress(position + 1, len(numbers))
    return _joined(
        (a, b), (at_a, at_b), (Changes.joined(frames), Changes.joined(boxes)), np.concatenate(pairs)
    )


def match_boxes(a: Float32, b: Float32) -> Index:
    """Pairs of equal boxes of one frame.

    Args:
        a: float32 (N, 4).
        b: float32 (M, 4).

    Returns:
        int64 (K, 2), index in ``a`` and in ``b``, rising in ``a``. Boxes that stand there several times are
        paired in their order, each once.
    """
    if np.array_equal(a, b):
        return np.repeat(np.arange(len(a), dtype=np.int64)[:, None], 2, axis=1)
    waiting: dict[tuple[float, ...], deque[int]] = defaultdict(deque)
    for index, box in enumerate(b.tolist()):
        waiting[tuple(box)].append(index)
    places = [(index, waiting.get(tuple(box))) for index, box in enumerate(a.tolist())]
    pairs = [(index, free.popleft()) for index, free in places if free]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _joined(
    readers: tuple[MaskReader, MaskReader],
    places: tuple[Index, Index],
    changes: tuple[Changes, Changes],
    pairs: Index,
) -> Comparison:
    """Look the paired boxes up in both tables."""
    (a, b), (at_a, at_b) = readers, places
    frame_of, box_a, box_b = pairs.T
    row_a = a.boxes.offsets[at_a[frame_of]] + box_a
    row_b = b.boxes.offsets[at_b[frame_of]] + box_b
    held = [int(np.diff(r.boxes.offsets)[at].sum()) for r, at in zip(readers, places, strict=True)]
    return Comparison(
        sequence=a.sequence,
        numbers=a.numbers[at_a],
        frames=changes[0],
        boxes=changes[1],
        frame_of=frame_of,
        box_a=box_a,
        box_b=box_b,
        xyxy=a.boxes.xyxy[row_a],
        track_id=a.boxes.track_id[row_a],
        class_name=tuple(a.class_names[class_id] for class_id in a.boxes.class_id[row_a].tolist()),
        believed_a=a.believed[row_a],
        believed_b=b.believed[row_b],
        lone_frames=(len(a) - len(at_a), len(b) - len(at_b)),
        lone_boxes=(held[0] - len(pairs), held[1] - len(pairs)),
    )


def _size(masks: MaskReader) -> str:
    return f"{masks.size[1]}x{masks.size[0]}"

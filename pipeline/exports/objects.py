"""Objects of a video over time, and the small numbers that formats call them by."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import ExportError

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Objects:
    """K objects of the exported frames, in order of their first appearance.

    A track is one object; a box without a track is an object of its own, seen once.

    Attributes:
        of_row: int64 (N,), the object of every box; -1 for boxes of other frames.
        track_id: int64 (K,), the dataset's own id; -1 if there is none.
        class_id: int64 (K,), the class that most of its boxes have; of several the first.
        first: int64 (K,), position of the first frame it is in.
        last: int64 (K,), of the last one.
    """

    of_row: Int64
    track_id: Int64
    class_id: Int64
    first: Int64
    last: Int64

    def __len__(self) -> int:
        return len(self.first)


def objects_of(boxes: BoxTable, indices: Int64) -> Objects:
    """Find the objects.

    Args:
        boxes: of all frames of a video.
        indices: positions of the exported ones, rising.
    """
    frame = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    rows = np.flatnonzero(np.isin(frame, indices))
    key = np.where(boxes.track_id >= 0, boxes.track_id, -2 - np.arange(len(frame)))[rows]
    _, first_row, inverse = np.unique(key, return_index=True, return_inverse=True)
    rank = np.empty(len(first_row), np.int64)
    rank[np.argsort(first_row)] = np.arange(len(first_row))
    found = rank[inverse]
    of_row = np.full(len(frame), -1, np.int64)
    of_row[rows] = found
    count = len(first_row)
    first, last = np.full(count, len(boxes)), np.full(count, -1)
    np.minimum.at(first, found, frame[rows])
    np.maximum.at(last, found, frame[rows])
    track = np.full(count, -1, np.int64)
    track[found] = boxes.track_id[rows]
    return Objects(of_row, track, _most_frequent(found, boxes.class_id[rows], count), first, last)


def _most_frequent(found: Int64, class_id: npt.NDArray[np.int16], count: int) -> Int64:
    """Class of most boxes of each object, int64 (count,)."""
    classes = int(class_id.max()) + 1 if len(class_id) else 1
    pairs, times = np.unique(found * classes + class_id, return_counts=True)
    best = np.lexsort((pairs, -times))
    owner, place = np.unique(pairs[best] // classes, return_index=True)
    chosen = np.zeros(count, np.int64)
    chosen[owner] = pairs[best][place] % classes
    return chosen


def values_of(objects: Objects, most: int, video: str) -> Int64:
    """Values 1 to ``most`` such that no two objects that are there at a time have the same one.

    Values are used again only if there are more objects than values, and then the one that is free for
    longest comes first.

    Returns:
        int64 (K,).

    Raises:
        ExportError: more objects at a time than values.
    """
    values = np.zeros(len(objects), np.int64)
    free = [(-1, value) for value in range(1, most + 1)]  # last frame it was used in, value
    heapify(free)
    busy: list[tuple[int, int]] = []
    for place, (first, last) in enumerate(zip(objects.first.tolist(), objects.last.tolist(), strict=True)):
        while busy and busy[0][0] < first:
            heappush(free, heappop(busy))
        if not free:
            raise ExportError(
                f"{video}: more than {most} objects at a time, from their first frame to their last; a "
                "picture of 8 bits has no more values: choose coco or mots"
            )
        values[place] = heappop(free)[1]
        heappush(busy, (last, int(values[place])))
    return values

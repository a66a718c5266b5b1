"""Which boxes of a video to show: the worst, the weakest believed ones, the middle, and some by lot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.compare.objects import object_numbers
from spotlabel.pipeline.hashing import text_digest
from spotlabel.pipeline.pages.report.columns import BoxColumns

GROUPS = {
    "worst": "least believability of all",
    "weakest": "least believability of those that are believed, and so train a detector",
    "median": "believability in the middle",
    "random": "drawn by lot, the same boxes whatever the settings are",
}
"""Names of the groups, and what each holds."""

MOST_LINKED = 1000
"""Boxes without a track in a frame up to which objects are followed: each is compared with each."""

Int64 = npt.NDArray[np.int64]


def chosen_boxes(name: str, boxes: BoxColumns, count: int) -> dict[str, Int64]:
    """Rows of the boxes to show.

    Each object (a track, or boxes that overlap from frame to frame) is shown once, in one group only; the
    groups take turns where objects are few. Among equals the larger box comes first: more of it can be seen.

    Args:
        name: of the sequence: decides what is drawn by lot.
        boxes: of the video.
        count: how many of each group, if there are as many.

    Returns:
        int64 rows by group; a group without boxes is left out.
    """
    sides = np.maximum(boxes.table.xyxy[:, 2:] - boxes.table.xyxy[:, :2], 0)
    area = (sides[:, 0] * sides[:, 1]).astype(np.float64)
    score = np.where(np.isfinite(boxes.believability), boxes.believability, boxes.fill).astype(np.float64)
    rows = np.flatnonzero(boxes.judged)
    rising = rows[np.lexsort((rows, -area[rows], score[rows]))]
    middle = np.median(score[rows]) if len(rows) else 0.0
    near = rows[np.lexsort((rows, -area[rows], np.abs(score[rows] - middle)))]
    seed = int(text_digest(name)[:16], 16)
    lot = np.random.default_rng(seed).permutation(len(boxes.judged))
    objects, seen = _objects(boxes), set[int]()
    # The lot comes first: what the others show would decide what is left to draw.
    drawn = min(count, len(np.unique(objects[rows])) // len(GROUPS))
    chosen = {"random": [*islice(_unseen(lot[boxes.judged[lot]], objects, seen), drawn)]}
    orders = {"worst": rising, "weakest": rising[boxes.believed[rising]], "median": near}
    turns = {group: _unseen(order, objects, seen) for group, order in orders.items()}
    for _ in range(count):
        for group, turn in turns.items():
            chosen.setdefault(group, []).extend(islice(turn, 1))
    return {group: np.array(chosen[group], np.int64) for group in GROUPS if chosen.get(group)}


def _objects(boxes: BoxColumns) -> Int64:
    """A number per object; where linking boxes without tracks would take long, per box."""
    loose = np.bincount(boxes.frame[boxes.table.track_id < 0])
    if loose.max(initial=0) > MOST_LINKED:
        return np.arange(len(boxes.frame))
    return object_numbers(boxes.frame, boxes.table.xyxy, boxes.table.track_id)


def _unseen(order: Int64, objects: Int64, seen: set[int]) -> Iterator[int]:
    """Rows of an order whose object nobody has taken yet; it is taken then."""
    for row in order.tolist():
        if (number := int(objects[row])) not in seen:
            seen.add(number)
            yield row

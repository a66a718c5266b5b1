"""Depth order: which of two boxes that overlap belongs to the nearer object.

On a ground seen from above, what stands nearer to the camera ends lower in the picture. One frame's boxes say
so with little certainty, so each frame of an overlap votes, and the votes of the frames around are summed: an
order does not flip because a box jitters, and it may change where one object overtakes another.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

SURE = 0.5
"""A vote is at most this: lower edges that differ by half the lower box's height leave no doubt."""
HIDDEN = 0.5
"""What it adds that the annotation calls only one of the two occluded: it is the farther one."""
MEMORY = 10.0
"""Frames over which a vote fades to 1/e."""


class Standing(NamedTuple):
    """What a box says about where its object stands.

    Attributes:
        top: px.
        bottom: lower edge, px.
        occluded: the annotation says that something hides part of the object.
    """

    top: int
    bottom: int
    occluded: bool


def vote(one: Standing, other: Standing) -> float:
    """How much one frame speaks for ``one`` being nearer than ``other``; negative for the contrary."""
    height = min(one.bottom - one.top, other.bottom - other.top)
    lower = (one.bottom - other.bottom) / max(height, 1)
    return max(-SURE, min(SURE, lower)) + HIDDEN * (int(other.occluded) - int(one.occluded))


def front_to_back(
    boxes: Iterable[int], nearer: Mapping[tuple[int, int], float], rects: Sequence[list[int]]
) -> list[int]:
    """Boxes of a group in an order in which every box comes after those in front of it.

    Where votes leave it open or contradict each other in a circle, the box with the lowest lower edge comes
    first, then the larger one.

    Args:
        boxes: rows of boxes.
        nearer: for pairs ``(i, j)`` that overlap, above 0 if ``i`` is nearer, below 0 if ``j`` is.
        rects: of all boxes of the frame, each ``x0, y0, x1, y1``.
    """
    rank = {box: place for place, box in enumerate(sorted(boxes, key=lambda box: _likely(rects[box], box)))}
    behind: dict[int, list[int]] = {box: [] for box in rank}
    waits = dict.fromkeys(rank, 0)
    for (one, other), margin in nearer.items():
        is_nearer = margin > 0 if margin else rank[one] < rank[other]
        first, second = (one, other) if is_nearer else (other, one)
        behind[first].append(second)
        waits[second] += 1
    by_rank = list(rank)
    free = [rank[box] for box in rank if not waits[box]]  # rising, so it is a heap
    ordered: dict[int, None] = {}
    held = iter(by_rank)
    while len(ordered) < len(rank):
        # without a free one there is a circle
        box = by_rank[heapq.heappop(free)] if free else next(box for box in held if box not in ordered)
        if box in ordered:
            continue
        ordered[box] = None
        for other in behind[box]:
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(free, rank[other])
    return list(ordered)


def _likely(rect: list[int], box: int) -> tuple[int, ...]:
    """Sorts boxes by how near their objects seem, the nearest first."""
    x0, y0, x1, y1 = rect
    return (-y1, -(x1 - x0) * (y1 - y0), x0, y0, box)

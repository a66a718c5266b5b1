"""Depth order: which of two boxes that overlap belongs to the nearer object.

On a ground seen from above, what stands nearer to the camera ends lower in the picture. One frame's boxes say
so with little certainty, so each frame of an overlap votes, and the votes of the frames around are summed: an
order does not flip because a box jitters, and it may change where one object overtakes another.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
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
    boxes: Iterable[int], nearer: Mapping[tuple[int, int], float], bottom: Mapping[int, int]
) -> list[int]:
    """Boxes of a group in an order in which every box comes after those in front of it.

    Where the pairs contradict each other in a circle, the box with the lowest lower edge comes first.

    Args:
        boxes: rows of boxes.
        nearer: for pairs ``(i, j)`` that overlap, above 0 if ``i`` is nearer, below 0 if ``j`` is.
        bottom: lower edge of each box, px; decides where the votes do not.
    """
    behind: dict[int, list[int]] = {box: [] for box in boxes}
    waits = dict.fromkeys(behind, 0)
    for (one, other), margin in nearer.items():
        first, second = (one, other) if _is_nearer(margin, one, other, bottom) else (other, one)
        behind[first].append(second)
        waits[second] += 1
    free = [(-bottom[box], box) for box in behind if not waits[box]]
    heapq.heapify(free)
    held = sorted((-bottom[box], box) for box in behind)
    ordered: dict[int, None] = {}
    next_held = 0
    while len(ordered) < len(behind):
        if free:
            box = heapq.heappop(free)[1]
        else:  # a circle
            while held[next_held][1] in ordered:
                next_held += 1
            box = held[next_held][1]
        if box in ordered:
            continue
        ordered[box] = None
        for other in behind[box]:
            waits[other] -= 1
            if not waits[other] and other not in ordered:
                heapq.heappush(free, (-bottom[other], other))
    return list(ordered)


def _is_nearer(margin: float, one: int, other: int, bottom: Mapping[int, int]) -> bool:
    if margin:
        return margin > 0
    return (bottom[one], -one) > (bottom[other], -other)

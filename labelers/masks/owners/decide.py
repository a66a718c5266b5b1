"""Whose the pixels are that two or more boxes claim.

The boxes of a group are gone through from front to back. Each takes of what those before it left as much as
its silhouette holds: with silhouettes s1, s2 ... of the boxes that claim a pixel, the k-th owns it with

    (1 - s1) * (1 - s2) * ... * s_k

and the largest wins. So an object in front owns what it covers, and what shows past its outline is the next
one's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners.claims import common
from spotlabel.labelers.masks.owners.plane import Runs
from spotlabel.labelers.masks.owners.silhouettes import HULL, Float, hull, stretched
from spotlabel.labelers.masks.values import Plane

Place = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FrameOwners:
    """Owners of one frame with N boxes.

    Attributes:
        claims: bool (N,), the box claims the foreground inside it.
        runs: owners of the foreground pixels that two or more boxes claim, see
            :mod:`spotlabel.labelers.masks.owners.plane`.
        contested: float32 (N,), share of the foreground in the box that other boxes claim too; NaN for a box
            that claims none.
        won: float32 (N,), share of that which the box owns; NaN where there is none.
        by_depth: float32 (N,), share of that which the foremost of its boxes owns, so that depth order
            decided and not a silhouette; likewise.
    """

    claims: npt.NDArray[np.bool_]
    runs: Runs
    contested: Column
    won: Column
    by_depth: Column


@dataclass(frozen=True, slots=True)
class Group:
    """Boxes that overlap, and the foreground around them.

    Attributes:
        place: ``x0, y0, x1, y1`` of the part of the image that holds them.
        foreground: uint8 (h, w), 0 or 1, of that part.
        boxes: rows in the frame.
        pairs: rows of those that overlap and share foreground; empty if they are too many to be looked at.
    """

    place: Place
    foreground: Plane
    boxes: list[int]
    pairs: list[tuple[int, int]]


class Decision(NamedTuple):
    """Owners of the contested pixels of a group.

    Attributes:
        places: the part of each box that holds what it shares with others, by row.
        place: the part of the image that holds all of them.
        contested: bool (h, w) of that part, two or more boxes claim the pixel and it is foreground.
        owner: uint16 (h, w), row of the owner; holds where ``contested``.
        foremost: bool (h, w), the owner is the foremost of the boxes that claim the pixel; likewise.
    """

    places: dict[int, Place]
    place: Place
    contested: npt.NDArray[np.bool_]
    owner: npt.NDArray[np.uint16]
    foremost: npt.NDArray[np.bool_]


def contested_places(group: Group, rects: list[list[int]]) -> tuple[dict[int, Place], Place]:
    """The part of each box that holds what it shares with others, by row; and one that holds them all."""
    if not group.pairs:
        return {box: common(rects[box], rects[box]) for box in group.boxes}, group.place
    places: dict[int, Place] = {}
    for one, other in group.pairs:
        place = common(rects[one], rects[other])
        for box in (one, other):
            places[box] = _joined(places[box], place) if box in places else place
    return places, reduce(_joined, places.values())


def _joined(one: Place, other: Place) -> Place:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def within(place: Sequence[int], outer: Sequence[int]) -> tuple[slice, slice]:
    """Rows and columns of a part of the image in an array that begins where another part does."""
    left, top = outer[0], outer[1]
    return slice(place[1] - top, place[3] - top), slice(place[0] - left, place[2] - left)


def claims_of(group: Group, rects: list[list[int]]) -> npt.NDArray[np.uint8]:
    """How many boxes claim each foreground pixel of a group: uint8 (h, w), 0, 1, or 2 and more."""
    count = np.zeros(group.foreground.shape, np.uint8)
    for box in group.boxes:
        part = count[within(rects[box], group.place)]
        part += part < 2
    count *= group.foreground
    return count


def decide(
    group: Group,
    rects: list[list[int]],
    order: list[int],
    counts_of: Callable[[int], Float],
) -> Decision:
    """Owner of each contested pixel of a group.

    Args:
        group: the boxes.
        rects: of all boxes of the frame.
        order: rows of the group's boxes from front to back.
        counts_of: observations of a box's cells, see
            :func:`spotlabel.labelers.masks.owners.silhouettes.counts`.
    """
    count = claims_of(group, rects)
    places, whole = contested_places(group, rects)
    contested = count[within(whole, group.place)] > 1
    owner = np.zeros(contested.shape, np.uint16)
    foremost = np.zeros(contested.shape, np.uint16)
    best = np.full(contested.shape, -1, np.float32)
    free = np.ones(contested.shape, np.float32)
    untouched = np.ones(contested.shape, np.bool_)
    for box in order:
        part = within(places[box], whole)
        sure = (count[within(rects[box], group.place)] == 1).view(np.uint8)
        score = free[part] * silhouette(rects[box], places[box], counts_of(box), sure)
        wins = score > best[part]
        np.copyto(best[part], score, where=wins)
        np.copyto(owner[part], np.uint16(box), where=wins)
        np.copyto(foremost[part], np.uint16(box), where=untouched[part])
        untouched[part] = False
        free[part] -= score
    return Decision(places, whole, contested, owner, owner == foremost)


def silhouette(
    rect: list[int], place: Place, observed: Float, sure: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Expected share of the object in the pixels of a part of its box: float32 (h, w), 0 to 1.

    Args:
        rect: the box.
        place: the part.
        observed: float32 (GRID, GRID, 2), filled and all observations of the box's cells.
        sure: uint8, of the whole box, foreground that no other box claims.
    """
    grid = stretched(observed, rect, place)
    filled, seen = grid[..., 0], grid[..., 1]
    inside = hull(sure)
    if inside is not None:
        more = inside[within(place, rect)] * np.float32(HULL)
        filled, seen = filled + more, seen + more
    share: npt.NDArray[np.float32] = filled / seen
    return share

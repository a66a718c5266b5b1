"""Whose the pixels are that two or more boxes claim.

The boxes of a group are gone through from front to back. Each takes of what those before it left as much as
its silhouette holds: with silhouettes s1, s2 ... of the boxes that claim a pixel, the k-th owns it with

    (1 - s1) * (1 - s2) * ... * s_k

and the largest wins. So an object in front owns what it covers, and what shows past its outline is the next
one's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        pairs: rows of those that overlap and share foreground.
    """

    place: Place
    foreground: Plane
    boxes: list[int]
    pairs: list[tuple[int, int]]


def contested_places(group: Group, rects: list[list[int]]) -> dict[int, Place]:
    """The part of each box that holds what it shares with others, by row."""
    places: dict[int, Place] = {}
    for one, other in group.pairs:
        x0, y0, x1, y1 = common(rects[one], rects[other])
        for box in (one, other):
            a, b, c, d = places.get(box, (x0, y0, x1, y1))
            places[box] = (min(a, x0), min(b, y0), max(c, x1), max(d, y1))
    return places


def claims_of(group: Group, rects: list[list[int]]) -> npt.NDArray[np.uint8]:
    """How many boxes claim each foreground pixel of a group: uint8 (h, w), 0, 1, or 2 and more."""
    left, top = group.place[:2]
    count = np.zeros(group.foreground.shape, np.uint8)
    for box in group.boxes:
        x0, y0, x1, y1 = rects[box]
        part = count[y0 - top : y1 - top, x0 - left : x1 - left]
        part += part < 2
    count *= group.foreground
    return count


def decide(
    group: Group,
    rects: list[list[int]],
    order: list[int],
    counts_of: Callable[[int], Float],
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Owner of each contested pixel of a group.

    Args:
        group: the boxes.
        rects: of all boxes of the frame.
        order: rows of the group's boxes from front to back.
        counts_of: observations of a box's cells, see
            :func:`spotlabel.labelers.masks.owners.silhouettes.counts`.

    Returns:
        uint16 (h, w), row of the owner, and bool (h, w), that is the foremost of those that claim the pixel;
        both only hold where two or more boxes claim foreground.
    """
    count, (left, top) = claims_of(group, rects), group.place[:2]
    places = contested_places(group, rects)
    free = np.ones(count.shape, np.float32)
    best = np.full(count.shape, -1, np.float32)
    owner = np.zeros(count.shape, np.uint16)
    foremost = np.zeros(count.shape, np.uint16)
    untouched = np.ones(count.shape, np.bool_)
    for box in order:
        if box not in places:
            continue
        x0, y0, x1, y1 = places[box]
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        share = silhouette(rects[box], places[box], counts_of(box), _sure(rects[box], count, (left, top)))
        score = free[part] * share
        wins = score > best[part]
        np.copyto(best[part], score, where=wins)
        np.copyto(owner[part], np.uint16(box), where=wins)
        np.copyto(foremost[part], np.uint16(box), where=untouched[part])
        untouched[part] = False
        free[part] -= score
    return owner, owner == foremost


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
        x0, y0, x1, y1 = place
        more = inside[y0 - rect[1] : y1 - rect[1], x0 - rect[0] : x1 - rect[0]] * np.float32(HULL)
        filled, seen = filled + more, seen + more
    share: npt.NDArray[np.float32] = filled / seen
    return share


def _sure(rect: list[int], count: npt.NDArray[np.uint8], origin: tuple[int, int]) -> npt.NDArray[np.uint8]:
    (x0, y0, x1, y1), (left, top) = rect, origin
    alone: npt.NDArray[np.bool_] = count[y0 - top : y1 - top, x0 - left : x1 - left] == 1
    return alone.view(np.uint8)

"""Rules that look at the boxes of one frame alone: what to compare with, see docs/instances.md."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.owners.decide import (
    Decision,
    Group,
    claims_of,
    contested_places,
    within,
)

Distance = npt.NDArray[np.float32]


def simple_owner(group: Group, rects: list[list[int]], rule: str) -> Decision:
    """Owner of each contested pixel of a group by a simple rule, called foremost: nothing else decided.

    Args:
        group: the boxes.
        rects: of all boxes of the frame.
        rule: ``lower-edge`` (the box whose lower edge is lowest), ``smaller-box``, or ``nearest-edge`` (the
            box of which an edge is nearest).
    """
    shape = group.foreground.shape
    best, owner = np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint16)
    for box in sorted(group.boxes, key=lambda box: (rects[box], box)):
        x0, y0, x1, y1 = rects[box]
        part = within(rects[box], group.place)
        cost: Distance | np.float32 = np.float32(-y1 if rule == "lower-edge" else (x1 - x0) * (y1 - y0))
        if rule == "nearest-edge":
            cost = _to_edge(x1 - x0, y1 - y0)
        wins = cost < best[part]
        np.copyto(best[part], cost, where=wins)
        np.copyto(owner[part], np.uint16(box), where=wins)
    places, whole = contested_places(group, rects)
    part = within(whole, group.place)
    contested = claims_of(group, rects)[part] > 1
    return Decision(places, whole, contested, owner[part], np.ones(contested.shape, np.bool_))


def _to_edge(width: int, height: int) -> Distance:
    """Distance of each pixel's middle from the nearest edge of its box: float32 (height, width)."""
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    nearest: Distance = np.minimum(np.minimum(x, width - x)[None], np.minimum(y, height - y)[:, None])
    return nearest

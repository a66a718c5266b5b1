"""Rules that look at the boxes of one frame alone: what to compare with, see docs/instances.md."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.owners.decide import Group

Distance = npt.NDArray[np.float32]


def simple_owner(
    group: Group, rects: list[list[int]], rule: str
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Owner of each pixel of a group by a simple rule.

    Args:
        group: the boxes.
        rects: of all boxes of the frame.
        rule: ``lower-edge`` (the box whose lower edge is lowest), ``smaller-box``, or ``nearest-edge`` (the
            box of which an edge is nearest).

    Returns:
        uint16 (h, w), row of the owner where there is one, and bool (h, w), all true: depth or what stands
        for it decided everything.
    """
    (left, top), shape = group.place[:2], group.foreground.shape
    best, owner = np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint16)
    for box in sorted(group.boxes, key=lambda box: (rects[box], box)):
        x0, y0, x1, y1 = rects[box]
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        cost: Distance | np.float32 = np.float32(-y1 if rule == "lower-edge" else (x1 - x0) * (y1 - y0))
        if rule == "nearest-edge":
            cost = _to_edge(x1 - x0, y1 - y0)
        wins = cost < best[part]
        np.copyto(best[part], cost, where=wins)
        np.copyto(owner[part], np.uint16(box), where=wins)
    return owner, np.ones(shape, np.bool_)


def _to_edge(width: int, height: int) -> Distance:
    """Distance of each pixel's middle from the nearest edge of its box: float32 (height, width)."""
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    nearest: Distance = np.minimum(np.minimum(x, width - x)[None], np.minimum(y, height - y)[:, None])
    return nearest

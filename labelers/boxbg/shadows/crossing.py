"""Cast shadow that crosses the border of its box: what is dark and plain beside a box goes on inside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Rect = tuple[int, int, int, int]

RING = 3
"""Shadow is looked for this far around a box, px."""
SHADED = 0.75
"""Shadow takes at least a quarter of the light: its brightness ratio is below this."""
_ALIKE = np.float32(np.exp(0.2))
"""The brightness ratio within one shadow differs by this factor at most from its median."""
_MIN_OUTSIDE = 4
"""Pixels of a shadow beside the box at least."""
_MAX_SHARE = 0.35
"""Share of a box's foreground that its shadow takes at most: where more goes on inside, it is an object that
reaches out of its box."""


def grown_window(rect: Rect, ring: int) -> tuple[slice, slice]:
    """Rows and columns of a box and so many px around it, from 0."""
    x0, y0, x1, y1 = rect
    return slice(max(y0 - ring, 0), y1 + ring), slice(max(x0 - ring, 0), x1 + ring)


def crossing_shadow(ratio: Float, outside: Bool, inside: Bool, foreground_count: int) -> Bool:
    """Which pixels of a box are shadow that goes on beside it.

    Args:
        ratio: float32 (h, w), brightness over the background's, of a box and what is around it.
        outside: bool (h, w), like shadow by its cues, and in no box.
        inside: bool (h, w), foreground of the box that could be shadow by its cues.
        foreground_count: number of foreground pixels of the box.

    Returns:
        bool (h, w): these pixels, and those beside the box with which they are connected.
    """
    shadow = np.zeros(ratio.shape, np.bool_)
    if np.count_nonzero(outside) < _MIN_OUTSIDE or not inside.any():
        return shadow
    contiguous = np.ascontiguousarray
    _grow_inside(contiguous(ratio), contiguous(outside), inside & ~outside, shadow)
    if np.count_nonzero(shadow & inside) > _MAX_SHARE * foreground_count:
        shadow[:] = False
    return shadow


@compiled
def _grow_inside(ratio: Float, outside: Bool, inside: Bool, shadow: Bool) -> None:
    """Mark what is connected with a component of shadow beside the box, and as dark."""
    height, width = ratio.shape
    visited = np.zeros(ratio.shape, np.bool_)
    component = np.empty(ratio.size, np.int64)
    for y in range(height):
        for x in range(width):
            if not outside[y, x] or visited[y, x]:
                continue
            visited[y, x] = True
            component[0] = y * width + x
            size = _flood_fill(outside, visited, component, 1)
            if size < _MIN_OUTSIDE:
                continue
            ratios = np.empty(size, np.float32)
            for k in range(size):
                ratios[k] = ratio[component[k] // width, component[k] % width]
            level = np.sort(ratios)[size // 2]
            alike = inside & (ratio > level / _ALIKE) & (ratio < level * _ALIKE)
            reached = np.zeros(ratio.shape, np.bool_)
            start = 0
            for k in range(size):
                if level / _ALIKE < ratios[k] < level * _ALIKE:
                    component[start] = component[k]
                    start += 1
            end = _flood_fill(alike, reached, component, start)
            for k in range(end if end > start else 0):
                shadow[component[k] // width, component[k] % width] = True


@compiled
def _flood_fill(open_: Bool, visited: Bool, component: npt.NDArray[np.int64], size: int) -> int:
    """Add to the first ``size`` pixels of a component all that open ones connect with them (4 neighbours)."""
    height, width = open_.shape
    k = 0
    while k < size:
        y, x = component[k] // width, component[k] % width
        k += 1
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and open_[v, u] and not visited[v, u]:
                visited[v, u] = True
                component[size] = v * width + u
                size += 1
    return size

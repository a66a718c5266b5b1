"""Shadow that leaves its box: what is dark and plain beside a box goes on inside it."""

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
"""Shadow takes at least a quarter of the light."""
_ALIKE = np.float32(np.exp(0.2))
"""Light of one shadow differs by this factor at most from its median."""
_LEAST = 4
"""Pixels of a shadow beside the box at least."""
_MOST = 0.35
"""Share of a box's foreground that its shadow takes at most: where more goes on inside, it is an object that
reaches out of its box."""


def around(rect: Rect, ring: int) -> tuple[slice, slice]:
    """Rows and columns of a box and so many px around it, from 0."""
    x0, y0, x1, y1 = rect
    return slice(max(y0 - ring, 0), y1 + ring), slice(max(x0 - ring, 0), x1 + ring)


def leaving_shadow(light: Float, outside: Bool, inside: Bool, found: int) -> Bool:
    """Which pixels of a box are shadow that goes on beside it.

    Args:
        light: float32 (h, w), brightness over the background's, of a box and what is around it.
        outside: bool (h, w), looks like shadow, and is in no box.
        inside: bool (h, w), foreground of the box that could be shadow by its look.
        found: number of pixels of all its foreground.

    Returns:
        bool (h, w): these pixels, and those beside the box with which they are connected.
    """
    shade = np.zeros(light.shape, np.bool_)
    if np.count_nonzero(outside) < _LEAST or not inside.any():
        return shade
    contiguous = np.ascontiguousarray
    _flood(contiguous(light), contiguous(outside), inside & ~outside, shade)
    if np.count_nonzero(shade & inside) > _MOST * found:
        shade[:] = False
    return shade


@compiled
def _flood(light: Float, outside: Bool, inside: Bool, shade: Bool) -> None:
    """Mark what is connected with a piece of shadow beside the box, and as dark."""
    height, width = light.shape
    known = np.zeros(light.shape, np.bool_)
    piece = np.empty(light.size, np.int64)
    for y in range(height):
        for x in range(width):
            if not outside[y, x] or known[y, x]:
                continue
            known[y, x] = True
            piece[0] = y * width + x
            size = _spread(outside, known, piece, 1)
            if size < _LEAST:
                continue
            lights = np.empty(size, np.float32)
            for k in range(size):
                lights[k] = light[piece[k] // width, piece[k] % width]
            level = np.sort(lights)[size // 2]
            alike = inside & (light > level / _ALIKE) & (light < level * _ALIKE)
            reached = np.zeros(light.shape, np.bool_)
            start = 0
            for k in range(size):
                if level / _ALIKE < lights[k] < level * _ALIKE:
                    piece[start] = piece[k]
                    start += 1
            end = _spread(alike, reached, piece, start)
            for k in range(end if end > start else 0):
                shade[piece[k] // width, piece[k] % width] = True


@compiled
def _spread(open_: Bool, known: Bool, piece: npt.NDArray[np.int64], size: int) -> int:
    """Add to the first ``size`` pixels of a piece all that open ones connect with them (4 neighbours)."""
    height, width = open_.shape
    k = 0
    while k < size:
        y, x = piece[k] // width, piece[k] % width
        k += 1
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and open_[v, u] and not known[v, u]:
                known[v, u] = True
                piece[size] = v * width + u
                size += 1
    return size

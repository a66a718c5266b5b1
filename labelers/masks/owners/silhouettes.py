"""Silhouettes: where in its box an object is expected, learnt from frames in which it could be seen alone.

Everything happens on the grid of :mod:`spotlabel.labelers.masks.shapes`, which is fixed to the box. A cell of
a box is *observed* in a frame if no other box claims it, or if it is background there: then nothing hides
what it says about the box's own object. What was observed is counted, weighted by how near the frame is and
how alike the box's size; other boxes of about the same place and size (vehicles of one lane look alike) count
little, and count where the object itself was never seen.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.owners.claims import common
from spotlabel.labelers.masks.shapes import GRID, Shapes

Float = npt.NDArray[np.float32]
Packed = npt.NDArray[np.uint8]
"""(N, GRID * GRID / 8), cells as bits, row by row."""

CELLS = GRID * GRID
MEMORY = 6.0
"""Frames over which what was seen of an object fades to 1/e: it turns, and the view of it changes."""
LIKENESS = 4.0
"""How fast it fades with a change of the box's size, per unit of the logarithm of width and height."""
OTHERS = 0.3
"""Observations, in frames, that all other boxes together count at most."""
PLACE, SIZE = 1.2, 0.15
"""Standard deviations within which other boxes are alike: of place, in box sides, and of log size."""
KEPT, EVERY = 512, 5
"""Boxes remembered as others, and of a track every so many frames one."""
MOSTLY_SEEN = 0.6
"""Only boxes with this share of observed cells serve others."""
PRIOR = 0.03
"""Observations that what is true of all objects counts: fuller in the middle of the box than at its corners."""
HULL = 0.03
"""Observations that the convex hull of the foreground that is surely the object's counts."""


class Observed(NamedTuple):
    """Cells of the N boxes of a frame.

    Attributes:
        seen: bits, the cell was observed.
        filled: bits, and it was foreground.
    """

    seen: Packed
    filled: Packed


def observe(shapes: Shapes, rects: list[list[int]], pairs: list[tuple[int, int]]) -> Observed:
    """What a frame shows of its boxes.

    Args:
        shapes: uint8 (N, GRID, GRID), 0 or 1.
        rects: of the boxes, each ``x0, y0, x1, y1``.
        pairs: boxes that claim pixels in common.
    """
    covered = np.zeros(shapes.shape, np.uint8)
    for one, other in pairs:
        x0, y0, x1, y1 = common(rects[one], rects[other])
        for box in (one, other):
            left, top, right, bottom = rects[box]
            wide, high = right - left, bottom - top
            columns = slice((x0 - left) * GRID // wide, -(-(x1 - left) * GRID // wide))
            covered[box, (y0 - top) * GRID // high : -(-(y1 - top) * GRID // high), columns] = 1
    seen = 1 - (covered & shapes)
    return Observed(_packed(seen), _packed(seen & shapes))


def unpacked(bits: Packed) -> npt.NDArray[np.uint8]:
    """Cells of bits: uint8 (N, CELLS), 0 or 1."""
    return np.unpackbits(bits, axis=1, count=CELLS)


def _packed(cells: npt.NDArray[np.uint8]) -> Packed:
    return np.packbits(cells.reshape(len(cells), CELLS), axis=1)


class Others:
    """Boxes of any track that were mostly seen: the last :data:`KEPT` of them."""

    def __init__(self) -> None:
        self._facts = np.full((KEPT, 5), np.inf, np.float32)  # middle x, y, log width, log height, track
        self._seen = np.zeros((KEPT, CELLS), np.uint8)
        self._filled = np.zeros((KEPT, CELLS), np.uint8)
        self._next = 0

    def add(self, facts: Float, observed: Observed) -> None:
        """Remember boxes.

        Args:
            facts: float32 (n, 5): middle of the box x, y, logarithms of width and height, track.
            observed: of the same n boxes.
        """
        seen = unpacked(observed.seen)
        most = np.flatnonzero(seen.mean(axis=1) >= MOSTLY_SEEN)[:KEPT]
        if len(most):
            places = (self._next + np.arange(len(most))) % KEPT
            self._facts[places], self._seen[places] = facts[most], seen[most]
            self._filled[places] = unpacked(observed.filled[most])
            self._next = int(places[-1] + 1) % KEPT

    def alike(self, facts: Float) -> tuple[Float, Float] | None:
        """What boxes of other tracks, about as large and about there, show: weights of seen and filled cells.

        Args:
            facts: float32 (5,), of the box, as for :meth:`add`.

        Returns:
            Two float32 (CELLS,), at most :data:`OTHERS`; None if there are no such boxes.
        """
        side = np.exp((facts[2] + facts[3]) / 2)
        scale = np.array([side * PLACE, side * PLACE, SIZE, SIZE], np.float32)
        apart = (self._facts[:, :4] - facts[:4]) / scale
        distance = np.einsum("kf,kf->k", apart, apart)
        near = np.flatnonzero((distance < 14) & (self._facts[:, 4] != facts[4]))
        if not len(near):
            return None
        weights = np.exp(-distance[near] / 2)
        seen: Float = weights @ self._seen[near].astype(np.float32)
        most = float(seen.max())
        if most < 1e-6:
            return None
        share = np.float32(OTHERS * min(1.0, most) / most)
        return seen * share, (weights @ self._filled[near].astype(np.float32)) * share


class Own(NamedTuple):
    """What the frames around show of one object: M frames.

    Attributes:
        seen: bits (M, CELLS / 8).
        filled: likewise.
        weights: float32 (M,).
    """

    seen: Packed
    filled: Packed
    weights: Float


def counts(own: Own, others: tuple[Float, Float] | None) -> Float:
    """Weighted observations of each cell: float32 (GRID, GRID, 2), filled and all."""
    seen = own.weights @ unpacked(own.seen).astype(np.float32) + np.float32(PRIOR)
    filled = own.weights @ unpacked(own.filled).astype(np.float32) + _PRIOR_FILLED
    if others is not None:
        seen, filled = seen + others[0], filled + others[1]
    return np.stack([filled, seen], axis=-1).reshape(GRID, GRID, 2)


def stretched(grid: Float, rect: list[int], place: tuple[int, int, int, int]) -> Float:
    """A grid of a box at the pixels of a part of the image, in between interpolated: float32 (h, w, 2)."""
    (x0, y0, x1, y1), (left, top, right, bottom) = rect, place
    across, down = GRID / (x1 - x0), GRID / (y1 - y0)
    matrix = np.array(
        [[across, 0, (left - x0 + 0.5) * across - 0.5], [0, down, (top - y0 + 0.5) * down - 0.5]]
    )
    return np.asarray(
        cv2.warpAffine(
            grid,
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def hull(sure: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    """Convex hull of what is surely the object's: vehicles are nearly convex, their outline goes on straight.

    Args:
        sure: uint8 (h, w), 0 or 1.

    Returns:
        uint8 (h, w), 0 or 1; None if there is nothing.
    """
    rows = np.flatnonzero(sure.any(axis=1))
    if not len(rows):
        return None
    lines = sure[rows]
    left, right = lines.argmax(axis=1), sure.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    points = np.concatenate([np.stack([left, rows], axis=1), np.stack([right, rows], axis=1)])
    inside = np.zeros(sure.shape, np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(points.astype(np.int32)), 1)
    return inside


def _prior() -> Float:
    """How often a cell is filled of which nothing is known, about half in the middle: float32 (CELLS,)."""
    across = np.abs((np.arange(GRID) + 0.5) / GRID * 2 - 1) ** 3
    share = 0.53 * np.clip(1.15 - (across[None] + across[:, None]) / 2, 0.1, 0.95)
    return np.asarray(share.reshape(CELLS), np.float32)


_PRIOR_FILLED = np.float32(PRIOR) * _prior()

"""Silhouettes: where in its box an object is expected, learnt from frames in which it could be seen alone.

Everything happens on the grid of :mod:`spotlabel.labelers.masks.shapes`, which is fixed to the box. A cell of
a box is *observed* in a frame if no other box claims it, or if it is background there: then nothing hides
what it says about the box's own object. What was observed is counted, weighted by how near the frame is and
how alike the box's size; other boxes of about the same place and size (vehicles of one lane look alike) count
little, and count where the object itself was never seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.owners.claims import common
from spotlabel.labelers.masks.shapes import GRID, Shapes

Float = npt.NDArray[np.float32]
Packed = npt.NDArray[np.uint8]
"""(N, 2 * CELLS / 8), see :func:`observe`."""

CELLS = GRID * GRID
MEMORY = 6.0
"""Frames over which what was seen of an object fades to 1/e: it turns, and the view of it changes."""
LIKENESS = 4.0
"""How fast it fades with a change of the box's size, per unit of the logarithm of width and height."""
OTHERS = 0.3
"""Observations, in frames, that all other boxes together count at most."""
PLACE, SIZE = 2.5, 0.15
"""Standard deviations within which other boxes are alike: of place, in box sides, and of log size."""
KEPT, EVERY = 512, 5
"""Boxes remembered as others, and of a track every so many frames one."""
TOLD = 1024
"""Tracks of which it is remembered what others say."""
FAR = 14.0
"""Squared distance, in these deviations, from which on boxes have nothing to do with each other."""
MOSTLY_SEEN = 0.6
"""Only boxes with this share of observed cells serve others."""
PRIOR = 0.003
"""Observations that what is true of all objects counts: fuller in the middle of a box than at its corners."""
HULL = 0.1
"""Observations that the convex hull of the foreground that is surely the object's counts."""


def observe(shapes: Shapes, rects: list[list[int]], pairs: list[tuple[int, int]]) -> Packed:
    """What a frame shows of its boxes.

    Args:
        shapes: uint8 (N, GRID, GRID), 0 or 1.
        rects: of the boxes, each ``x0, y0, x1, y1``.
        pairs: boxes that claim pixels in common.

    Returns:
        uint8 (N, 2 * CELLS / 8), as bits: the cells that are observed and filled, then all that are observed.
    """
    seen = np.ones(shapes.shape, np.uint8)
    for one, other in pairs:
        x0, y0, x1, y1 = common(rects[one], rects[other])
        for box in (one, other):
            left, top, right, bottom = rects[box]
            wide, high = right - left, bottom - top
            columns = slice((x0 - left) * GRID // wide, -(-(x1 - left) * GRID // wide))
            rows = slice((y0 - top) * GRID // high, -(-(y1 - top) * GRID // high))
            np.subtract(1, shapes[box, rows, columns], out=seen[box, rows, columns])
    cells = np.stack([seen & shapes, seen], axis=1)
    return np.packbits(cells.reshape(len(cells), 2 * CELLS), axis=1)


def unpacked(observed: Packed) -> npt.NDArray[np.uint8]:
    """Cells of N boxes: uint8 (N, 2 * CELLS), 0 or 1."""
    return np.unpackbits(observed, axis=1)


class Others:
    """Boxes of any track that were mostly seen: the last :data:`KEPT` of them."""

    def __init__(self) -> None:
        self._facts = np.full((5, KEPT), np.inf, np.float32)  # middle x, y, log width, log height, track
        self._cells = np.zeros((KEPT, 2 * CELLS), np.float32)
        self._next = 0
        self._told: dict[int, tuple[int, Float | None]] = {}

    def add(self, facts: Float, observed: Packed) -> None:
        """Remember boxes.

        Args:
            facts: float32 (n, 5): middle of the box x, y, logarithms of width and height, track.
            observed: of the same n boxes, see :func:`observe`.
        """
        cells = unpacked(observed)
        most = np.flatnonzero(cells[:, CELLS:].mean(axis=1) >= MOSTLY_SEEN)[:KEPT]
        if len(most):
            places = (self._next + np.arange(len(most))) % KEPT
            self._facts[:, places], self._cells[places] = facts[most].T, cells[most]
            self._next = int(places[-1] + 1) % KEPT

    def of_track(self, track: int, number: int, facts: Float) -> Float | None:
        """As :meth:`alike`, looked up anew only every so many frames of a track: it changes slowly.

        Args:
            track: of the box.
            number: of the frame, rising.
            facts: of the box.
        """
        last, told = self._told.get(track, (-EVERY, None))
        if number - last >= EVERY:
            if len(self._told) >= TOLD:
                self._told.clear()
            told = self.alike(facts)
            self._told[track] = (number, told)
        return told

    def alike(self, facts: Float) -> Float | None:
        """What boxes of other tracks, about as large and about there, show.

        Args:
            facts: float32 (5,), of the box, as for :meth:`add`.

        Returns:
            float32 (2 * CELLS,), weights of the filled and of all observations, at most :data:`OTHERS`; None
            if there are no such boxes.
        """
        side = np.exp((facts[2] + facts[3]) / 2)
        scale = np.array([[side * PLACE], [side * PLACE], [SIZE], [SIZE]], np.float32)
        apart = (self._facts[:4] - facts[:4, None]) / scale
        distance = (apart * apart).sum(axis=0)
        near = np.flatnonzero((distance < FAR) & (self._facts[4] != facts[4]))
        if not len(near):
            return None
        cells: Float = np.exp(distance[near] / -2) @ self._cells[near]
        most = float(cells[CELLS:].max())
        return cells * np.float32(OTHERS * min(1.0, most) / most) if most else None


def counts(observed: Sequence[bytes], weights: Float, others: Float | None) -> Float:
    """Weighted observations of each cell of a box.

    Args:
        observed: what M frames show of the object, each a row of :func:`observe` as bytes.
        weights: float32 (M,), of these frames.
        others: from :meth:`Others.alike`.

    Returns:
        float32 (GRID, GRID, 2), filled and all.
    """
    rows = np.frombuffer(b"".join(observed), np.uint8).reshape(len(weights), -1)
    cells = weights @ unpacked(rows).astype(np.float32) + _PRIOR
    if others is not None:
        cells += others
    return np.ascontiguousarray(cells.reshape(2, GRID, GRID).transpose(1, 2, 0))


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
    outlines, _ = cv2.findContours(sure, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return None
    inside = np.zeros(sure.shape, np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.concatenate(outlines)), 1)
    return inside


def _prior() -> Float:
    """Observations that hold for every box: float32 (2 * CELLS,), filled (half in the middle) and all."""
    across = np.abs((np.arange(GRID) + 0.5) / GRID * 2 - 1) ** 8
    share = 0.53 * np.clip(1.15 - (across[None] + across[:, None]) / 2, 0.1, 0.95)
    return np.asarray(PRIOR * np.concatenate([share.reshape(CELLS), np.ones(CELLS)]), np.float32)


_PRIOR = _prior()

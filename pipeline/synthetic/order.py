"""Who is painted before whom: back to front, from the footprints on the ground."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.pinhole import Float

TOUCH = 0.05
"""Footprints that overlap by less than this still count as apart, metres."""


def paint_order(footprints: Float, eye: Float) -> list[int]:
    """Order in which upright objects hide one another correctly when painted over each other.

    If an edge of one footprint has the other footprint on its far side, the one that shares its side of that
    line with the camera is in front. Pairs that no edge separates, and circles of three, go by distance.

    Args:
        footprints: convex quadrilaterals, counter-clockwise, metres, (n, 4, 2).
        eye: ground position of the camera, (2,).

    Returns:
        Positions of all n objects, first to be painted first.
    """
    before = _before(footprints, eye)
    distance = np.linalg.norm(footprints.mean(axis=1) - eye, axis=1)
    waiting = before.sum(axis=0)
    left = np.ones(len(footprints), np.bool_)
    order: list[int] = []
    for _ in range(len(footprints)):
        ready = left & (waiting == 0)
        pool = ready if ready.any() else left
        chosen = int(np.argmax(np.where(pool, distance, -1.0)))
        left[chosen] = False
        waiting = waiting - before[chosen]
        order.append(chosen)
    return order


def _before(footprints: Float, eye: Float) -> npt.NDArray[np.bool_]:
    """``[i, j]`` is true if i must be painted before j, bool (n, n)."""
    edges = np.roll(footprints, -1, axis=1) - footprints
    normals = np.stack([edges[..., 1], -edges[..., 0]], axis=-1)
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    offsets = np.einsum("iek,iek->ie", normals, footprints)
    reach = np.einsum("iek,jck->iejc", normals, footprints).min(axis=-1)
    apart = reach - offsets[:, :, None] > -TOUCH
    outside = (normals @ eye - offsets > 0)[:, :, None]
    never_hides = (apart & outside).any(axis=1) | (apart & ~outside).any(axis=1).T
    return np.asarray(never_hides & ~never_hides.T)

"""Which boxes claim the same pixels: pairs of boxes that overlap, and the groups that these pairs form."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import has_pixels
from spotlabel.labelers.masks.settings import MaskSettings
from spotlabel.labelers.masks.values import Rects

Bool = npt.NDArray[np.bool_]

PAIRS_AT_ONCE = 2**20
"""Pairs of boxes looked at in one go, so that memory grows with the boxes and not with their pairs."""


def claiming_boxes(selected: Bool, believed: Bool, rects: Rects, settings: MaskSettings) -> Bool:
    """Which boxes claim the foreground inside them: bool (N,).

    Those that may hold foreground: of one of ``settings.classes``, with pixels, and believed, unless boxes
    that are not believed are kept as they are.

    Args:
        selected: bool (N,), the box is of one of ``settings.classes``.
        believed: bool (N,), see :func:`spotlabel.labelers.masks.believed.believed_boxes`.
        rects: int64 (N, 4), pixels of the boxes.
        settings: ``weak_boxes`` is read.
    """
    claims: Bool = selected & has_pixels(rects)
    return claims if settings.weak_boxes == "keep" else claims & believed


def overlapping_pairs(rects: Rects) -> list[tuple[int, int]]:
    """Pairs of rectangles that have pixels in common, each once as ``(i, j)`` with ``i < j``, in order.

    Args:
        rects: int64 (N, 4), none empty.
    """
    order = np.argsort(rects[:, 0], kind="stable")  # neighbours together: few others can meet them
    step = max(1, PAIRS_AT_ONCE // max(1, len(rects)))
    found: list[tuple[int, int]] = []
    for first in range(0, len(rects), step):
        some = order[first : first + step]
        part = rects[some]
        near = np.flatnonzero((rects[:, 0] < part[:, 2].max()) & (rects[:, 2] > part[:, 0].min()))
        low = np.maximum(part[:, None, :2], rects[None, near, :2])
        high = np.minimum(part[:, None, 2:], rects[None, near, 2:])
        one, other = np.nonzero((low < high).all(axis=2))
        found += [(i, j) for i, j in zip(some[one].tolist(), near[other].tolist(), strict=True) if i < j]
    return sorted(found)


def groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Boxes that overlap directly or through others, each group rising, groups by their first box."""
    leader: dict[int, int] = {}

    def find(box: int) -> int:
        while leader.setdefault(box, box) != box:
            leader[box] = leader[leader[box]]
            box = leader[box]
        return box

    for one, other in pairs:
        first, second = sorted((find(one), find(other)))
        leader[second] = first
    members: dict[int, list[int]] = {}
    for box in sorted(leader):
        members.setdefault(find(box), []).append(box)
    return list(members.values())


def common(one: list[int], other: list[int]) -> tuple[int, int, int, int]:
    """The rectangle that two rectangles share, which overlap: ``x0, y0, x1, y1``."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])

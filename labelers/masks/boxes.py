"""Boxes as rectangles of whole pixels, and the patches of an image in which a mask is worked out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.settings import MaskSettings
from spotlabel.labelers.masks.values import FOREGROUND, Boxes, Plane, Rects

FEW_BOXES = 256
"""Up to so many boxes, one by one is the quickest way to find those that overlap another."""


def pixel_rects(
    boxes: Boxes, shape: tuple[int, int], settings: MaskSettings, native_origin: float = 0.0
) -> Rects:
    """Whole pixels that boxes hold, by ``box_rounding`` and ``box_padding``.

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based, half-open.
        shape: height and width of the image.
        settings: see :class:`MaskSettings`.
        native_origin: native coordinate of the left and top image edge; only read for ``truncate``.

    Returns:
        int64 (N, 4), ``x0, y0, x1, y1``, inside the image; a box without pixels has ``x1 <= x0`` or
        ``y1 <= y0``.
    """
    if settings.box_rounding == "cover":
        low, high = np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])
    elif settings.box_rounding == "nearest":
        low, high = np.floor(boxes[:, :2] + 0.5), np.floor(boxes[:, 2:] + 0.5)
    else:
        low, high = np.trunc(boxes[:, :2] + native_origin), np.trunc(boxes[:, 2:] + native_origin)
    return _inside(low, high, shape, settings.box_padding)


def touched_rects(regions: Boxes, shape: tuple[int, int]) -> Rects:
    """Every pixel that a region touches; arguments and result as in :func:`pixel_rects`."""
    return _inside(np.floor(regions[:, :2]), np.ceil(regions[:, 2:]), shape, 0)


def paint(plane: Plane, rects: Rects, value: int) -> None:
    """Set the pixels of rectangles (N, 4), in place."""
    for x0, y0, x1, y1 in rects.tolist():
        plane[y0:y1, x0:x1] = value


def has_pixels(rects: Rects) -> npt.NDArray[np.bool_]:
    """Whether each rectangle has any pixel: bool (N,)."""
    some: npt.NDArray[np.bool_] = (rects[:, 2] > rects[:, 0]) & (rects[:, 3] > rects[:, 1])
    return some


def patches(rects: Rects, margin: int, shape: tuple[int, int]) -> list[list[int]]:
    """Places of an image that cannot influence each other and together hold all rectangles.

    Each rectangle is grown by ``margin``, and grown rectangles that overlap are joined into their common
    bounding rectangle until none overlap. With a margin of the kernels' reach + 1, kernels give the same
    inside the rectangles as on the whole image, and a connected component never leaves its patch.

    Args:
        rects: int64 (N, 4), none empty.
        margin: px, >= 1.
        shape: height and width of the image.

    Returns:
        ``x0, y0, x1, y1`` of each patch, inside the image.
    """
    height, width = shape
    if len(rects) > FEW_BOXES:
        low, high = np.maximum(rects[:, :2] - margin, 0), np.minimum(rects[:, 2:] + margin, (width, height))
        return _many_joined(np.concatenate([low, high], axis=1))
    joined: list[list[int]] = []
    for x0, y0, x1, y1 in rects.tolist():
        left, top = max(x0 - margin, 0), max(y0 - margin, 0)
        right, foot = min(x1 + margin, width), min(y1 + margin, height)
        while over := [a for a in joined if a[0] < right and left < a[2] and a[1] < foot and top < a[3]]:
            for other in over:
                joined.remove(other)
                left, top = min(left, other[0]), min(top, other[1])
                right, foot = max(right, other[2]), max(foot, other[3])
        joined.append([left, top, right, foot])
    return joined


def _many_joined(grown: Rects) -> list[list[int]]:
    """Rectangles joined until none overlap, each compared with all at once; any order gives the same ones."""
    held = np.zeros((4, len(grown)), np.int64)  # columns in use; one of zeros overlaps nothing
    used = 0
    for patch in grown.tolist():
        over = _overlapping(held[:, :used], patch)
        place = over[0] if len(over) else used
        used += place == used
        while len(over):
            patch[:2] = np.minimum(held[:2, over].min(axis=1), patch[:2]).tolist()
            patch[2:] = np.maximum(held[2:, over].max(axis=1), patch[2:]).tolist()
            held[:, over] = 0
            over = _overlapping(held[:, :used], patch)
        held[:, place] = patch
    joined: list[list[int]] = held[:, held[2] > 0].T.tolist()
    return joined


def _overlapping(held: Rects, patch: list[int]) -> npt.NDArray[np.int64]:
    """Which columns of int64 (4, N), as rectangles, overlap a place."""
    x0, y0, x1, y1 = patch
    return np.flatnonzero((held[0] < x1) & (held[2] > x0) & (held[1] < y1) & (held[3] > y0))


def inside_rects(shape: tuple[int, int], rects: Rects) -> Plane:
    """uint8 (H, W): 1 inside any of the rectangles, else 0."""
    plane = np.zeros(shape, np.uint8)
    paint(plane, rects, FOREGROUND)
    return plane


def _inside(low: np.ndarray, high: np.ndarray, shape: tuple[int, int], padding: int) -> Rects:
    """Corners (N, 2) and (N, 2), grown by ``padding`` and cut at the image, as int64 (N, 4)."""
    corners = np.concatenate([low - padding, high + padding], axis=1)
    limit = [shape[1], shape[0], shape[1], shape[0]]
    rects: Rects = np.minimum(np.maximum(corners, 0), limit).astype(np.int64)
    return rects

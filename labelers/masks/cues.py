"""Cues of a box: what mask and evidence tell about how far its foreground can be trusted.

Every cue comes from evidence, mask and boxes alone; no frame is looked at. How they are put together is in
:mod:`spotlabel.labelers.masks.believability`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks.coverage import coverage, few_pairs, sums
from spotlabel.labelers.masks.shapes import GRID, Shapes
from spotlabel.labelers.masks.values import Plane, Rects

Column = npt.NDArray[np.float32]

RIM_PIXELS = 5
"""How far, in px, an object may stay away from a side of its box and still touch it: boxes have slack."""
RIM_SHARE = 0.1
"""The same as a share of the box's extent across that side; the larger of the two holds."""
FULL_TOUCH = 0.25
"""A side is touched fully if foreground lies along this share of it: vehicles are round at the corners."""
MOTION_FACTOR = 1.5
"""Motion evidence is thresholded this much higher and lower to see what depends on the threshold."""
DISTANCE_SHARE = 1 / 8
"""For distance evidence: the threshold moves this share of the way to either end of the scale."""


@dataclass(frozen=True, slots=True)
class Cues:
    """Cues of the N boxes of a frame.

    Attributes:
        fill: float32 (N,), share of the box's pixels that are foreground; 0 for a box without pixels.
        contact: float32 (N,), how well foreground reaches the sides of the box, 0 to 1, mean over those sides
            that are not the image's border; NaN if all four are.
        agreement: float32 (N,), 0 to 1: motion and distance evidence: of what is above a lower threshold, the
            share that is above a higher one; binary evidence: IoU before and after cleaning. 0 without any.
        overlap: float32 (N,), share of the box that other boxes cover, 0 to 1.
        own_fill: float32 (N,), share of foreground in what no other box covers, 0 if that is nothing; NaN for
            a box that none overlaps.
        size: float32 (N,), shorter side in px.
    """

    fill: Column
    contact: Column
    agreement: Column
    overlap: Column
    own_fill: Column
    size: Column


def box_cues(
    evidence: Plane, kind: EvidenceKind, drawn: tuple[Plane, Shapes], rects: Rects, level: int
) -> Cues:
    """Work out the cues of a frame's boxes.

    Args:
        evidence: uint8 (H, W); 0 or 1 if binary.
        kind: what the evidence means.
        drawn: the mask by the rules 1 and 2, uint8 (H, W), background or foreground; and the boxes' shapes
            in it.
        rects: int64 (N, 4), pixels of the boxes.
        level: the evidence value above which a pixel is foreground.
    """
    mask, shapes = drawn
    low, high = shifted_levels(kind, level)
    fill, agreement = np.zeros(len(rects), np.float32), np.zeros(len(rects), np.float32)
    for box, (x0, y0, x1, y1) in enumerate(rects.tolist()):
        if x1 <= x0 or y1 <= y0:
            continue
        inside, raw = mask[y0:y1, x0:x1], evidence[y0:y1, x0:x1]
        count = cv2.countNonZero(inside)
        fill[box] = count / inside.size
        if kind == EvidenceKind.BINARY:
            agreement[box] = cleaning_agreement(raw, inside, count)
        else:
            agreement[box] = threshold_stability(raw, low, high)
    size = (mask.shape[0], mask.shape[1])
    overlap = overlaps(rects)
    return Cues(
        fill,
        edge_contact(shapes, rects, size),
        agreement,
        overlap,
        own_fills(mask, rects, overlap),
        short_sides(rects),
    )


def shifted_levels(kind: EvidenceKind, level: int) -> tuple[int, int]:
    """The lower and the higher threshold between which the mask should not depend on the threshold."""
    if kind == EvidenceKind.MOTION:
        return int(level / MOTION_FACTOR), min(round(level * MOTION_FACTOR), 254)
    return int(level * (1 - DISTANCE_SHARE)), int(level + (255 - level) * DISTANCE_SHARE)


def edge_contact(shapes: Shapes, rects: Rects, size: tuple[int, int]) -> Column:
    """How well foreground reaches the sides of each box.

    A tight box is touched by its object on all four sides. Along each side lies a rim, :data:`RIM_PIXELS` or
    :data:`RIM_SHARE` deep; the side's contact is the share of its length at which the rim has foreground,
    over :data:`FULL_TOUCH`, at most 1.

    Args:
        shapes: uint8 (N, GRID, GRID), 0 or 1, as :func:`spotlabel.labelers.masks.shapes.box_shapes` makes
            them.
        rects: int64 (N, 4), pixels of the boxes.
        size: height and width of the image. Sides on its border do not count: the object may go on there.

    Returns:
        float32 (N,), mean over the sides that count, 0 to 1; NaN where none does.
    """
    extent = np.maximum(rects[:, 2:] - rects[:, :2], 1)
    depth = (
        np.minimum(np.maximum(RIM_PIXELS / extent, RIM_SHARE), 0.5) * GRID
    )  # in cells, across x and across y
    turned = shapes.transpose(0, 2, 1)
    distances = _gaps(np.stack([shapes, turned, shapes[:, :, ::-1], turned[:, :, ::-1]]))
    touched = (distances < depth.T[[0, 1, 0, 1], :, None]).mean(axis=2)
    counted = np.stack([rects[:, 0] > 0, rects[:, 1] > 0, rects[:, 2] < size[1], rects[:, 3] < size[0]])
    total = (np.minimum(touched / FULL_TOUCH, 1.0) * counted).sum(axis=0)
    sides = counted.sum(axis=0)
    contact: Column = np.where(sides > 0, total / np.maximum(sides, 1), np.nan).astype(np.float32)
    return contact


def _gaps(shapes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Cells before the first foreground along the last axis, (..., GRID); GRID where there is none."""
    first = shapes.argmax(axis=-1)
    return np.where(first | shapes[..., 0], first, GRID)


def threshold_stability(raw: Plane, low: int, high: int) -> float:
    """Of the pixels above ``low`` the share above ``high``: 1 if the threshold between does not matter.

    Args:
        raw: uint8 (h, w), evidence of one box.
        low: the lower threshold.
        high: the higher one.

    Returns:
        0 to 1; 0 if nothing is above ``low``. It is the IoU of the two thresholded masks.
    """
    above = cv2.countNonZero(cv2.threshold(raw, low, 1, cv2.THRESH_BINARY)[1])
    if not above:
        return 0.0
    return cv2.countNonZero(cv2.threshold(raw, high, 1, cv2.THRESH_BINARY)[1]) / above


def cleaning_agreement(raw: Plane, inside: Plane, count: int) -> float:
    """IoU of binary evidence with what cleaning made of it: 1 if there was nothing to clean.

    Args:
        raw: uint8 (h, w), 0 or 1, evidence of one box.
        inside: uint8 (h, w), 0 or 1, its foreground.
        count: number of pixels that are foreground.

    Returns:
        0 to 1; 0 if there is neither.
    """
    both = cv2.countNonZero(cv2.bitwise_and(raw, inside))
    either = count + cv2.countNonZero(raw) - both
    return both / either if either else 0.0


def overlaps(rects: Rects) -> Column:
    """Share of each rectangle that the others cover, float32 (N,), 0 to 1.

    Where several others overlap each other, their common part counts as often as there are others; the sum
    is cut at 1. 0 for an empty rectangle.
    """
    own = np.maximum(rects[:, 2:] - rects[:, :2], 0).prod(axis=1)
    height, width = (int(rects[:, sides].max(initial=0)) for sides in ([1, 3], [0, 2]))
    if few_pairs(len(rects), height * width):
        low = np.maximum(rects[:, None, :2], rects[None, :, :2])
        high = np.minimum(rects[:, None, 2:], rects[None, :, 2:])
        common = np.maximum(high - low, 0).prod(axis=2).sum(axis=1)
    else:
        common = sums(coverage(rects, (height, width)), rects)
    share: Column = np.minimum((common - own) / np.maximum(own, 1), 1.0).astype(np.float32)
    return share


def own_fills(mask: Plane, rects: Rects, overlap: Column) -> Column:
    """Share of foreground in the part of each box that no other box covers.

    A hidden object's box is often filled by what hides it; what the box has to itself tells.

    Args:
        mask: uint8 (H, W), background or foreground.
        rects: int64 (N, 4).
        overlap: float32 (N,), from :func:`overlaps`.

    Returns:
        float32 (N,), 0 to 1; 0 where others cover all of the box, NaN where none overlaps it.
    """
    fills = np.full(len(rects), np.nan, np.float32)
    if not few_pairs(len(rects), mask.size):
        alone = coverage(rects, (mask.shape[0], mask.shape[1])) == 1
        areas, filled = sums(alone, rects), sums(alone & mask, rects)
        return np.where(overlap > 0, filled / np.maximum(areas, 1), fills).astype(np.float32)
    places = rects.tolist()
    for box in np.flatnonzero(overlap > 0).tolist():
        x0, y0, x1, y1 = places[box]
        own = np.full((y1 - y0, x1 - x0), 2, np.uint8)  # in the mask's terms: 2 background, 3 foreground
        own |= mask[y0:y1, x0:x1]
        for other in range(len(places)):
            left, top, right, bottom = places[other]
            if other != box and left < x1 and right > x0 and top < y1 and bottom > y0:
                own[max(top - y0, 0) : bottom - y0, max(left - x0, 0) : right - x0] = 0
        area = cv2.countNonZero(own)
        fills[box] = np.count_nonzero(own & 1) / area if area else 0.0
    return fills


def short_sides(rects: Rects) -> Column:
    """The shorter side of each rectangle in px, float32 (N,); 0 if it is empty."""
    sides: Column = np.maximum(rects[:, 2:] - rects[:, :2], 0).min(axis=1).astype(np.float32)
    return sides

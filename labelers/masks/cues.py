"""What a mask and its evidence tell about each box: how far the foreground in it can be trusted.

Every cue comes from evidence, mask and boxes alone; no frame is looked at. How they are put together is in
:mod:`labelers.masks.believability`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from labelers.base import EvidenceKind
from labelers.masks.values import Plane, Rects

Column = npt.NDArray[np.float32]

RIM_PIXELS = 3
"""How far, in px, an object may stay away from a side of its box and still touch it: boxes have slack."""
RIM_SHARE = 0.05
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
        size: float32 (N,), shorter side in px.
    """

    fill: Column
    contact: Column
    agreement: Column
    overlap: Column
    size: Column


def box_cues(evidence: Plane, kind: EvidenceKind, mask: Plane, rects: Rects, level: int) -> Cues:
    """Work out the cues of a frame's boxes.

    Args:
        evidence: uint8 (H, W); 0 or 1 if binary.
        kind: what the evidence means.
        mask: uint8 (H, W), background or foreground, by the rules 1 and 2.
        rects: int64 (N, 4), pixels of the boxes.
        level: the evidence value above which a pixel is foreground.
    """
    low, high = shifted_levels(kind, level)
    height, width = mask.shape
    fill, contact, agreement = [], [], []
    for x0, y0, x1, y1 in rects.tolist():
        if x1 <= x0 or y1 <= y0:
            fill.append(0.0)
            contact.append(0.0)
            agreement.append(0.0)
            continue
        inside, raw = mask[y0:y1, x0:x1], evidence[y0:y1, x0:x1]
        count = cv2.countNonZero(inside)
        fill.append(count / inside.size)
        contact.append(edge_contact(inside, (x0 > 0, y0 > 0, x1 < width, y1 < height)) if count else 0.0)
        if kind == EvidenceKind.BINARY:
            agreement.append(cleaning_agreement(raw, inside, count))
        else:
            agreement.append(threshold_stability(raw, low, high))
    return Cues(
        np.array(fill, np.float32),
        np.array(contact, np.float32),
        np.array(agreement, np.float32),
        overlaps(rects),
        short_sides(rects),
    )


def shifted_levels(kind: EvidenceKind, level: int) -> tuple[int, int]:
    """The lower and the higher threshold between which the mask should not depend on the threshold."""
    if kind == EvidenceKind.MOTION:
        return int(level / MOTION_FACTOR), min(round(level * MOTION_FACTOR), 254)
    return int(level * (1 - DISTANCE_SHARE)), int(level + (255 - level) * DISTANCE_SHARE)


def edge_contact(inside: Plane, counted: tuple[bool, bool, bool, bool]) -> float:
    """How well foreground reaches the sides of a box.

    A tight box is touched by its object on all four sides. Along each side lies a rim, :data:`RIM_PIXELS` or
    :data:`RIM_SHARE` deep; the side's contact is the share of its length at which the rim has foreground,
    over :data:`FULL_TOUCH`, at most 1.

    Args:
        inside: uint8 (h, w), 0 or 1: the pixels of one box.
        counted: left, top, right, bottom: false for sides on the image's border, where the object may go on.

    Returns:
        Mean over the sides that count, 0 to 1; NaN if none does.
    """
    height, width = inside.shape
    across = max(RIM_PIXELS, round(width * RIM_SHARE))
    down = max(RIM_PIXELS, round(height * RIM_SHARE))
    rims = ((inside[:, :across], 1), (inside[:down], 0), (inside[:, -across:], 1), (inside[-down:], 0))
    total, sides = 0.0, 0
    for (rim, axis), counts in zip(rims, counted, strict=True):
        if counts:
            touched = cv2.countNonZero(cv2.reduce(rim, axis, cv2.REDUCE_MAX))
            total += min(1.0, touched / (FULL_TOUCH * (height if axis else width)))
            sides += 1
    return total / sides if sides else float("nan")


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
    low = np.maximum(rects[:, None, :2], rects[None, :, :2])
    high = np.minimum(rects[:, None, 2:], rects[None, :, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    own = common.diagonal().copy()
    covered = common.sum(axis=1) - own
    share: Column = np.minimum(covered / np.maximum(own, 1), 1.0).astype(np.float32)
    return share


def short_sides(rects: Rects) -> Column:
    """The shorter side of each rectangle in px, float32 (N,); 0 if it is empty."""
    sides: Column = np.maximum(rects[:, 2:] - rects[:, :2], 0).min(axis=1).astype(np.float32)
    return sides

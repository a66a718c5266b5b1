"""Segmentation of one box by GrabCut, seeded by the background difference.

The two fail in different places. The difference decides where the background was seen, and colour
(:mod:`spotlabel.labelers.egomotion.cut`) draws the edge between what is sure and settles what was unseen.
Each is checked before it is used. Flow was a third cue once; measured, it cost time and gained nothing.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.egomotion.background import BackgroundDifference
from spotlabel.labelers.egomotion.corners import Plane
from spotlabel.labelers.egomotion.cut import Bool, grab_cut

MIN_SIGMAS = 6.0
"""Foreground differs from the background behind it by so many times the noise."""
MIN_FILL, MAX_FILL = 0.2, 0.95
"""Vehicles fill more than a fifth of their box, and never all of it."""
MIN_AGREEMENT = 0.5
"""The outline must share so much (IoU) with the foreground it started from."""
BAND = 0.04
"""The edge is looked for within this share of the square root of the foreground's area."""
MIN_BAND = 3
"""... and at least within so many px."""


def outline(image: npt.NDArray[np.uint8], box: Bool, behind: BackgroundDifference) -> tuple[Bool, bool]:
    """Foreground of a box.

    Args:
        image: uint8 (h, w, 3), the box with what is around it.
        box: bool (h, w), where the box is.
        behind: the patch against the background behind it.

    Returns:
        bool (h, w), false outside the box; and whether the background behind decided, not colour alone.
    """
    unlike = behind.difference > MIN_SIGMAS * behind.noise
    full = _cleaned((unlike | ~behind.seen) & box)
    if _share(full, box) < MIN_FILL or not behind.seen[box].any():
        # What differs is too small to be a vehicle, or nothing was compared.
        return _by_colour(image, box), False
    cut = grab_cut(image, _seeds(full, box, behind.seen))
    if _iou(cut, full) >= MIN_AGREEMENT:
        return _cleaned(cut & box), True
    trusted = bool(np.mean(behind.seen[box]) > 0.5)
    return (full if trusted else _by_colour(image, box)), trusted


def _seeds(full: Bool, box: Bool, decided: Bool) -> Plane:
    """GrabCut's seeds: sure well inside the decided foreground and well outside it, probable in between."""
    radius = max(MIN_BAND, int(BAND * np.sqrt(np.count_nonzero(full))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    plane = full.astype(np.uint8)
    inner = cv2.erode(plane, disc, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    outer = cv2.dilate(plane, disc) > 0
    seeds = np.where(full, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[inner & decided] = cv2.GC_FGD
    seeds[(~outer & decided) | ~box] = cv2.GC_BGD
    return seeds


def _by_colour(image: npt.NDArray[np.uint8], box: Bool) -> Bool:
    """GrabCut from the box alone; the box where even that says nothing sensible."""
    cut = grab_cut(image, np.where(box, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)) & box
    share = _share(cut, box)
    return _cleaned(cut) if MIN_FILL <= share <= MAX_FILL else box


def _cleaned(mask: Bool) -> Bool:
    """Small gaps closed, holes filled, specks of under 2 % of the whole removed."""
    side = 9 if mask.size > 10000 else 3
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    plane = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    lines, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    least = 0.02 * max((cv2.contourArea(line) for line in lines), default=0.0)
    kept = [line for line in lines if cv2.contourArea(line) >= least]
    filled = np.zeros_like(plane)
    cv2.drawContours(filled, kept, -1, 1, cv2.FILLED)
    return np.asarray(filled > 0, np.bool_)


def _iou(a: Bool, b: Bool) -> float:
    """Intersection over union of two masks."""
    return _share(a & b, a | b)


def _share(part: Bool, whole: Bool) -> float:
    """How many of the pixels of ``whole`` there are in ``part``; 0 of none."""
    size = int(np.count_nonzero(whole))
    return int(np.count_nonzero(part)) / size if size else 0.0

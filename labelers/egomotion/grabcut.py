"""Segmentation of one box by GrabCut, seeded by the background difference.

The two fail in different places. The difference decides where the background was seen, and colour (GrabCut:
Rother, Kolmogorov and Blake, SIGGRAPH 2004) draws the edge between what is sure and settles what was unseen.
Each is checked before it is used. Flow was a third cue once; measured, it cost time and gained nothing.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.egomotion.background import BackgroundDifference
from spotlabel.labelers.egomotion.camera import Plane

Bool = npt.NDArray[np.bool_]

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
ROUNDS = 1
"""Of GrabCut: the start is good, more rounds change nothing but the time."""
MIN_PIXELS = 10
"""GrabCut needs so many pixels of either kind: five colours each."""


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
    cut = _grab_cut(image, _seeds(full, box, behind.seen))
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
    cut = _grab_cut(image, np.where(box, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)) & box
    share = _share(cut, box)
    return _cleaned(cut) if MIN_FILL <= share <= MAX_FILL else box


def _grab_cut(image: npt.NDArray[np.uint8], seeds: Plane) -> Bool:
    """Foreground, bool (h, w); the seeds' own answer where a kind has too few pixels to learn from."""
    front = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
    if min(np.count_nonzero(front), np.count_nonzero(~front)) < MIN_PIXELS:
        return np.asarray(front, np.bool_)
    cv2.setRNGSeed(1)  # its k-means draws from OpenCV's common generator
    labels = seeds.copy()
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(image), labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), np.bool_)


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

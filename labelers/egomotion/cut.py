"""GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004), with colours learnt from no more than tell them.

Its colours are learnt from a sample of the pixels. Coarser cuts would be faster still, and are worse where
colour alone decides (docs/egoflow.md).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.egomotion.corners import Plane

Bool = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
Models = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

MIN_PIXELS = 10
"""GrabCut needs so many pixels of either kind: five colours each."""
SAMPLES = 600
"""Colours are learnt from about so many pixels of either kind, evenly spread over them."""


def grab_cut(image: Image, seeds: Plane) -> Bool:
    """Foreground, one round from the seeds.

    Args:
        image: uint8 (h, w, 3).
        seeds: uint8 (h, w), OpenCV's ``GC_BGD``, ``GC_FGD``, ``GC_PR_BGD`` or ``GC_PR_FGD``.

    Returns:
        bool (h, w); the seeds' own answer where a kind has too few pixels to learn from.
    """
    front = _front(seeds)
    if min(np.count_nonzero(front), np.count_nonzero(~front)) < MIN_PIXELS:
        return front
    labels = seeds.copy()
    cv2.grabCut(image, labels, None, *_learnt(image, seeds), 1, cv2.GC_EVAL_FREEZE_MODEL)
    return _front(labels)


def _learnt(image: Image, seeds: Plane) -> Models:
    """Colours of background and foreground as OpenCV holds them, float64 (1, 65) each."""
    kinds = [np.flatnonzero(_front(seeds) == front) for front in (False, True)]
    chosen = np.concatenate([kind[:: len(kind) // SAMPLES + 1] for kind in kinds])
    colours, labels = image.reshape(-1, 3)[chosen][None], seeds.ravel()[chosen][None]
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)  # its k-means draws from OpenCV's common generator
    # One round, in which colours are assigned and learnt once more; what it cuts is thrown away.
    cv2.grabCut(colours, labels, None, *models, 1, cv2.GC_INIT_WITH_MASK)
    return models


def _front(seeds: Plane) -> Bool:
    """What the seeds hold for foreground, surely or probably."""
    return np.asarray((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD), np.bool_)

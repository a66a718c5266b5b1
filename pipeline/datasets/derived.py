"""Boxes of videos whose ground truth is pixels: one box per connected component.

The derivation is the one with which the label quality in this project was measured: components of at least
60 pixels, padded by 2 pixels. Such boxes are marked as derived; no annotator drew them.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag, BoxTable, Float32, clip_boxes

MIN_PIXELS = 60
"""Smaller components are specks of the annotation, not objects."""
PADDING = 2
"""Pixels added on every side of a component's extent."""
CLASS_NAMES = ("object",)
"""Ground-truth pixels do not tell the classes apart."""


def derive_boxes(
    foreground: npt.NDArray[np.bool_], min_pixels: int = MIN_PIXELS, padding: int = PADDING
) -> Float32:
    """Boxes around the 8-connected components of a pixel mask.

    Args:
        foreground: bool (H, W).
        min_pixels: smallest component that gets a box.
        padding: pixels to add on each side before clipping to the image.

    Returns:
        float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based, half-open, inside the image, ordered by
        ``y0``, then ``x0``, ``y1``, ``x1``.
    """
    plane = np.ascontiguousarray(foreground).view(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
    found = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= min_pixels]
    x0, y0 = found[:, cv2.CC_STAT_LEFT], found[:, cv2.CC_STAT_TOP]
    x1, y1 = x0 + found[:, cv2.CC_STAT_WIDTH], y0 + found[:, cv2.CC_STAT_HEIGHT]
    padded = np.stack([x0 - padding, y0 - padding, x1 + padding, y1 + padding], axis=1)
    boxes = clip_boxes(padded, foreground.shape)
    order = np.lexsort((boxes[:, 2], boxes[:, 3], boxes[:, 0], boxes[:, 1]))
    return np.asarray(boxes[order], np.float32)


def derived_table(boxes: Seq[Float32]) -> BoxTable:
    """Table of derived boxes: class 0 of :data:`CLASS_NAMES`, no track, flagged as derived.

    Args:
        boxes: one array (n, 4) per frame.
    """
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in boxes])]).astype(np.int64)
    count = int(offsets[-1])
    return BoxTable(
        offsets=offsets,
        xyxy=np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
        class_id=np.zeros(count, np.int16),
        track_id=np.full(count, -1, np.int64),
        flags=np.full(count, BoxFlag.DERIVED, np.uint8),
    )

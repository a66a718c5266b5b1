"""Boxes from pixel ground truth, for datasets that have masks and no boxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.boxes import BoxFlag, BoxTable, Float32, RegionTable
from pipeline.errors import DatasetError
from pipeline.sequence import Annotations, Image

SMALLEST_OBJECT = 60
"""Components of fewer pixels are taken for noise of the annotation."""
PADDING = 2
"""Pixels around a component; a human's box is not pixel-tight either."""

CLASS_NAMES = ("object",)


def boxes_of(foreground: npt.NDArray[np.bool_]) -> Float32:
    """Padded boxes of the connected components (8 neighbours) of a mask.

    Args:
        foreground: bool (H, W).

    Returns:
        float32 (N, 4), pixel edges, inside the image, ordered by top, then left edge.
    """
    height, width = foreground.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(foreground.astype(np.uint8), connectivity=8)
    kept = stats[1:count][stats[1:count, cv2.CC_STAT_AREA] >= SMALLEST_OBJECT].astype(np.float32)
    x0, y0 = kept[:, cv2.CC_STAT_LEFT], kept[:, cv2.CC_STAT_TOP]
    x1, y1 = x0 + kept[:, cv2.CC_STAT_WIDTH], y0 + kept[:, cv2.CC_STAT_HEIGHT]
    boxes = np.stack([x0 - PADDING, y0 - PADDING, x1 + PADDING, y1 + PADDING], axis=1)
    np.clip(boxes, 0, [width, height, width, height], out=boxes)
    return np.asarray(boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))], np.float32)


def derived_annotations(
    frames: int, foreground_at: Callable[[int], npt.NDArray[np.bool_] | None]
) -> Annotations:
    """Annotations whose boxes come from ground-truth pixels, each flagged ``DERIVED``.

    Args:
        frames: number of frames.
        foreground_at: foreground (H, W) of a position, None where there is no ground truth.
    """
    boxes = [
        np.zeros((0, 4), np.float32) if (foreground := foreground_at(index)) is None else boxes_of(foreground)
        for index in range(frames)
    ]
    total = sum(map(len, boxes))
    offsets = np.concatenate([[0], np.cumsum([len(b) for b in boxes])]).astype(np.int64)
    table = BoxTable(
        offsets=offsets,
        xyxy=np.concatenate([*boxes, np.zeros((0, 4), np.float32)]),
        class_id=np.zeros(total, np.int16),
        track_id=np.full(total, -1, np.int64),
        flags=np.full(total, BoxFlag.DERIVED, np.uint8),
    )
    return Annotations(table, RegionTable.static(np.zeros((0, 4), np.float32), frames), CLASS_NAMES)


def read_labels(path: Path) -> Image:
    """A ground-truth image as uint8 (H, W); colour images with three equal channels are common.

    Raises:
        DatasetError: unreadable, or not grey.
    """
    decoded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise DatasetError.at(path, "", "ground truth does not decode")
    labels = np.asarray(decoded)
    if labels.ndim == 3:
        if (labels != labels[:, :, :1]).any():
            raise DatasetError.at(path, "", "ground truth is coloured, expected grey levels")
        labels = labels[:, :, 0]
    if labels.dtype != np.uint8:
        raise DatasetError.at(path, "", f"ground truth has type {labels.dtype}, expected uint8")
    return np.ascontiguousarray(labels)

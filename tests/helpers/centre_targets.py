"""Targets of one image as arrays: those of the detector, and the same worked out object by object."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
import torch

from spotlabel.detector.centernet.targets import (
    MAX_OBJECTS,
    draw_heatmaps,
    gaussian,
    gaussian_radius,
    object_slots,
)

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CentreTargets:
    """Slots (K, ...) and heatmap float32 (classes, h, w) of one image."""

    hm: Float32
    wh: Float32
    reg: Float32
    ind: Int64
    mask: Float32
    radius: Int64
    label: Int64


def centre_targets(
    boxes: npt.NDArray[np.floating],
    class_id: npt.NDArray[np.integer],
    classes: int,
    grid: tuple[int, int],
    max_objects: int = MAX_OBJECTS,
) -> CentreTargets:
    """Targets of the boxes (N, 4) of one image, in cells, with classes (N,)."""
    rows = torch.from_numpy(np.asarray(boxes, np.float32).reshape(1, -1, 4))
    labels = torch.from_numpy(np.asarray(class_id, np.int64)[None])
    slots = object_slots(rows, labels, torch.ones(rows.shape[:2], dtype=torch.bool), grid, max_objects)
    hm = draw_heatmaps(slots, classes, grid)
    return CentreTargets(hm[0].numpy(), **{name: v[0].numpy() for name, v in slots._asdict().items()})


def object_by_object(
    boxes: Float32, class_id: Int64, classes: int, grid: tuple[int, int], max_objects: int = MAX_OBJECTS
) -> CentreTargets:
    """What :func:`centre_targets` should give, in loops over objects."""
    hm = np.zeros((classes, *grid), np.float32)
    wh, reg = np.zeros((2, max_objects, 2), np.float32)
    ind, radii, labels = np.zeros((3, max_objects), np.int64)
    mask = np.zeros(max_objects, np.float32)
    clipped = boxes.copy()
    clipped[:, 0::2] = boxes[:, 0::2].clip(0, grid[1] - 1)
    clipped[:, 1::2] = boxes[:, 1::2].clip(0, grid[0] - 1)
    for k, (box, label) in enumerate(zip(clipped[:max_objects], class_id[:max_objects], strict=True)):
        size, centre = box[2:] - box[:2], (box[:2] + box[2:]) / np.float32(2)
        labels[k] = label
        if (size <= 0).any():
            continue
        x, y = int(centre[0]), int(centre[1])
        radii[k] = max(0, int(gaussian_radius(float(ceil(size[1])), float(ceil(size[0])))))
        wh[k], reg[k], ind[k], mask[k] = size, centre - np.floor(centre), y * grid[1] + x, 1
        draw_gaussian(hm[label], x, y, int(radii[k]))
    return CentreTargets(hm, wh, reg, ind, mask, radii, labels)


def draw_gaussian(plane: Float32, x: int, y: int, radius: int) -> None:
    """Raise ``plane`` (h, w) in place to a Gaussian around cell (x, y), cut at the border."""
    kernel = gaussian(radius)
    for row in range(max(0, y - radius), min(plane.shape[0], y + radius + 1)):
        for column in range(max(0, x - radius), min(plane.shape[1], x + radius + 1)):
            value = np.float32(kernel[row - y + radius, column - x + radius])
            plane[row, column] = max(plane[row, column], value)

"""Training targets of CenterNet on the output grid (Zhou et al., "Objects as Points", 2019, section 3).

The Gaussian radius is CornerNet's (Law & Deng, ECCV 2018), with the slip of its public code kept: two of the
three quadratic formulas divide by 2 where 2a is meant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MAX_OBJECTS = 128
OVERLAP = 0.7


@dataclass(frozen=True)
class Slots:
    """Objects of one image; K slots, slot k belonging to box k of the input.

    Attributes:
        wh: float32 (K, 2), width and height in cells.
        reg: float32 (K, 2), offset of the centre inside its cell, in [0, 1).
        ind: int64 (K,), cell of the centre, y * w + x.
        mask: float32 (K,), 1 where the slot holds an object.
        radius: int64 (K,), of the Gaussian around the centre, in cells.
        label: int64 (K,), class.
    """

    wh: Float32
    reg: Float32
    ind: Int64
    mask: Float32
    radius: Int64
    label: Int64


@dataclass(frozen=True)
class CentreTargets(Slots):
    """Targets of one image.

    Attributes:
        hm: float32 (classes, h, w) in [0, 1], exactly 1 at centres.
    """

    hm: Float32


def gaussian_radius(height: float, width: float, overlap: float = OVERLAP) -> float:
    """Distance in cells within which a shifted box of the same size keeps at least ``overlap`` IoU."""
    total, area = height + width, height * width
    first = (total + math.sqrt(total**2 - 4 * area * (1 - overlap) / (1 + overlap))) / 2
    second = (2 * total + math.sqrt(4 * total**2 - 16 * (1 - overlap) * area)) / 2
    linear = 2 * overlap * total
    third = (-linear + math.sqrt(linear**2 + 16 * overlap * (1 - overlap) * area)) / 2
    return min(first, second, third)


def gaussian(radius: int) -> Float64:
    """Kernel (2r+1, 2r+1) with sigma = (2r+1)/6, 1 in the middle, negligible values cut to 0."""
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    squared = offsets[:, None] ** 2 + offsets[None, :] ** 2
    sigma = (2 * radius + 1) / 6
    kernel = np.exp(-squared / (2 * sigma**2))
    kernel[kernel < np.finfo(np.float64).eps] = 0
    return kernel


def draw_gaussian(plane: Float32, x: int, y: int, radius: int) -> None:
    """Raise ``plane`` (h, w) in place to a Gaussian around cell (x, y), cut at the border."""
    height, width = plane.shape
    left, right = min(x, radius), min(width - 1 - x, radius)
    top, bottom = min(y, radius), min(height - 1 - y, radius)
    window = plane[y - top : y + bottom + 1, x - left : x + right + 1]
    kernel = gaussian(radius)[radius - top : radius + bottom + 1, radius - left : radius + right + 1]
    np.maximum(window, kernel, out=window, casting="same_kind")


def object_slots(
    boxes: Float32 | Float64,
    class_id: npt.NDArray[np.integer],
    grid: tuple[int, int],
    max_objects: int = MAX_OBJECTS,
) -> Slots:
    """Slots of the boxes of one image.

    Boxes are clipped to the grid; those without area afterwards leave their slot empty. Boxes beyond the
    first ``max_objects`` are dropped.

    Args:
        boxes: (N, 4), x0, y0, x1, y1 in cells, before clipping.
        class_id: (N,), at least 0.
        grid: height and width of the grid in cells.
        max_objects: number of slots K.

    Returns:
        See :class:`Slots`.
    """
    height, width = grid
    clipped = np.asarray(boxes, np.float32).reshape(-1, 4)[:max_objects].copy()
    np.clip(clipped[:, 0::2], 0, width - 1, out=clipped[:, 0::2])
    np.clip(clipped[:, 1::2], 0, height - 1, out=clipped[:, 1::2])
    slots = Slots(
        wh=np.zeros((max_objects, 2), np.float32),
        reg=np.zeros((max_objects, 2), np.float32),
        ind=np.zeros(max_objects, np.int64),
        mask=np.zeros(max_objects, np.float32),
        radius=np.zeros(max_objects, np.int64),
        label=np.zeros(max_objects, np.int64),
    )
    for k, (box, label) in enumerate(zip(clipped, class_id[:max_objects], strict=True)):
        _fill_slot(slots, k, box, width)
        slots.label[k] = label
    return slots


def _fill_slot(slots: Slots, k: int, box: Float32, grid_width: int) -> None:
    size = box[2:] - box[:2]
    if size[0] <= 0 or size[1] <= 0:
        return
    centre = (box[:2] + box[2:]) / np.float32(2)
    x, y = (int(value) for value in centre)
    slots.radius[k] = max(0, int(gaussian_radius(math.ceil(size[1]), math.ceil(size[0]))))
    slots.wh[k] = size
    slots.reg[k] = centre - np.floor(centre)
    slots.ind[k] = y * grid_width + x
    slots.mask[k] = 1


def draw_heatmap(slots: Slots, classes: int, grid: tuple[int, int]) -> Float32:
    """Heatmap float32 (classes, h, w) of slots, overlapping objects joined by their maximum."""
    heatmap = np.zeros((classes, *grid), np.float32)
    for k in np.flatnonzero(slots.mask):
        y, x = divmod(int(slots.ind[k]), grid[1])
        draw_gaussian(heatmap[slots.label[k]], x, y, int(slots.radius[k]))
    return heatmap


def centre_targets(
    boxes: Float32 | Float64,
    class_id: npt.NDArray[np.integer],
    classes: int,
    grid: tuple[int, int],
    max_objects: int = MAX_OBJECTS,
) -> CentreTargets:
    """Targets of the boxes of one image: :func:`object_slots` and their heatmap of ``classes`` channels."""
    slots = object_slots(boxes, class_id, grid, max_objects)
    return CentreTargets(**vars(slots), hm=draw_heatmap(slots, classes, grid))


def known_cells(known: Float32, stride: int) -> Float32:
    """Weights of heatmap negatives for ``ignore_mode="mask_loss"``.

    Args:
        known: float32 (H, W), 1 where pixels are labelled, 0 in ignore regions and unknown mask pixels.
        stride: pixels per cell, dividing H and W.

    Returns:
        float32 (H/stride, W/stride): 1 where more than half of the cell's pixels are known, else 0.
    """
    height, width = known.shape
    cells = known.reshape(height // stride, stride, width // stride, stride)
    mostly: npt.NDArray[np.bool_] = cells.mean(axis=(1, 3)) > 0.5
    return mostly.astype(np.float32)

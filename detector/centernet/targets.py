"""Training targets of CenterNet on the output grid (Zhou et al., "Objects as Points", 2019, section 3).

The Gaussian radius is CornerNet's (Law & Deng, ECCV 2018), with the slip of its public code kept: two of the
three quadratic formulas divide by 2 where 2a is meant. Radii and Gaussians are looked up in tables that are
worked out in double precision on the CPU, so that targets are the same on every device.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.contract import Batch

Float64 = npt.NDArray[np.float64]

MAX_OBJECTS = 128
OVERLAP = 0.7
OBJECTS_AT_A_TIME = 16
"""Heatmaps of this many objects per image are drawn at once; bounds the memory for crowded scenes."""


class Slots(NamedTuple):
    """Objects of B images; K slots, slot k belonging to box k of the input.

    Attributes:
        wh: float [B, K, 2], width and height in cells.
        reg: float [B, K, 2], offset of the centre inside its cell, in [0, 1).
        ind: int64 [B, K], cell of the centre, y * w + x.
        mask: float [B, K], 1 where the slot holds an object.
        radius: int64 [B, K], of the Gaussian around the centre, in cells.
        label: int64 [B, K], class.
    """

    wh: Tensor
    reg: Tensor
    ind: Tensor
    mask: Tensor
    radius: Tensor
    label: Tensor


def batch_targets(batch: Batch, classes: int, stride: int) -> dict[str, Tensor]:
    """What :func:`spotlabel.detector.centernet.losses.detection_loss` wants to know of a batch.

    Args:
        batch: see :class:`spotlabel.detector.contract.Batch`; the first 128 objects of an image count.
        classes: channels of the heatmap.
        stride: pixels per cell, dividing H and W.
    """
    height, width = batch["image"].shape[-2:]
    grid = (height // stride, width // stride)
    slots = object_slots(batch["boxes"] / stride, batch["classes"], batch["present"], grid)
    return {
        "hm": draw_heatmaps(slots, classes, grid, objects=batch["boxes"].shape[1]),
        "wh": slots.wh,
        "reg": slots.reg,
        "ind": slots.ind,
        "mask": slots.mask,
        "hm_weight": known_cells(batch["labelled"], stride),
        "seg": batch["mask"],
        "seg_weight": batch["known"],
    }


def gaussian_radius(
    height: float | Float64, width: float | Float64, overlap: float = OVERLAP
) -> np.float64 | Float64:
    """Distance in cells within which a shifted box of the same size keeps at least ``overlap`` IoU."""
    total, area = height + width, height * width
    first = (total + np.sqrt(total**2 - 4 * area * (1 - overlap) / (1 + overlap))) / 2
    second = (2 * total + np.sqrt(4 * total**2 - 16 * (1 - overlap) * area)) / 2
    linear = 2 * overlap * total
    third = (-linear + np.sqrt(linear**2 + 16 * overlap * (1 - overlap) * area)) / 2
    smallest: np.float64 | Float64 = np.minimum(np.minimum(first, second), third)
    return smallest


def gaussian(radius: int) -> Float64:
    """Kernel (2r+1, 2r+1) with sigma = (2r+1)/6, 1 in the middle, negligible values cut to 0."""
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    squared = offsets[:, None] ** 2 + offsets[None, :] ** 2
    sigma = (2 * radius + 1) / 6
    kernel = np.exp(-squared / (2 * sigma**2))
    kernel[kernel < np.finfo(np.float64).eps] = 0
    return kernel


class _Tables(NamedTuple):
    """What is looked up for a grid.

    Attributes:
        radii: int64 [h + 1, w + 1], by height and width of a box in whole cells.
        bells: float32 [R + 1, 2 * far + 1], values of Gaussians by radius and squared distance; 0 from
            ``far`` on.
        far: a squared distance, along one axis, that is beyond every Gaussian.
    """

    radii: Tensor
    bells: Tensor
    far: int


@lru_cache(maxsize=8)
def _tables(grid: tuple[int, int], device: torch.device) -> _Tables:
    height, width = np.ogrid[: grid[0] + 1, : grid[1] + 1]
    radii = np.asarray(gaussian_radius(height.astype(np.float64), width.astype(np.float64)))
    radii = np.maximum(radii.astype(np.int64), 0)
    largest = int(radii.max())
    far = 2 * largest**2 + 1
    bells = np.zeros((largest + 1, 2 * far + 1), np.float32)
    for radius in range(largest + 1):
        offsets = np.arange(-radius, radius + 1)
        bells[radius, offsets[:, None] ** 2 + offsets**2] = gaussian(radius)
    return _Tables(torch.from_numpy(radii).to(device), torch.from_numpy(bells).to(device), far)


def object_slots(
    boxes: Tensor, classes: Tensor, present: Tensor, grid: tuple[int, int], max_objects: int = MAX_OBJECTS
) -> Slots:
    """Slots of the boxes of B images.

    Boxes are clipped to the grid; those without area afterwards leave their slot empty. Boxes beyond the
    first ``max_objects`` of an image are dropped.

    Args:
        boxes: float [B, N, 4], x0, y0, x1, y1 in cells, before clipping.
        classes: int64 [B, N], at least 0.
        present: bool [B, N], which rows hold an object.
        grid: height and width of the grid in cells.
        max_objects: number of slots K.

    Returns:
        See :class:`Slots`.
    """
    height, width = grid
    more = max_objects - boxes.shape[1]  # a negative number of rows to add takes rows away
    boxes, classes = functional.pad(boxes, (0, 0, 0, more)), functional.pad(classes, (0, more))
    x, y = boxes[..., 0::2].clamp(0, width - 1), boxes[..., 1::2].clamp(0, height - 1)  # [B, K, 2]
    size = torch.stack([x[..., 1] - x[..., 0], y[..., 1] - y[..., 0]], dim=2)
    held = functional.pad(present, (0, more)) & (size > 0).all(2)  # [B, K]
    centre = torch.stack([x.sum(2), y.sum(2)], dim=2) / 2
    cell = centre.long()
    whole = size.clamp(min=0).ceil().long()
    radius = _tables(grid, boxes.device).radii[whole[..., 1], whole[..., 0]]
    return Slots(
        wh=torch.where(held[..., None], size, 0),
        reg=torch.where(held[..., None], centre - centre.floor(), 0),
        ind=torch.where(held, cell[..., 1] * width + cell[..., 0], 0),
        mask=held.to(boxes.dtype),
        radius=torch.where(held, radius, 0),
        label=classes,
    )


def draw_heatmaps(slots: Slots, classes: int, grid: tuple[int, int], objects: int = MAX_OBJECTS) -> Tensor:
    """Heatmaps float32 [B, classes, h, w] of slots, overlapping objects joined by their maximum.

    Args:
        slots: of B images.
        classes: channels.
        grid: height and width in cells.
        objects: the first so many slots are looked at.
    """
    device = slots.ind.device
    _, bells, far = _tables(grid, device)
    heatmaps = torch.zeros(len(slots.ind), classes, *grid, device=device)
    rows, columns = (torch.arange(side, device=device) for side in grid)
    for first in range(0, min(objects, slots.ind.shape[1]), OBJECTS_AT_A_TIME):
        some = slice(first, first + OBJECTS_AT_A_TIME)
        cell, radius = slots.ind[:, some, None], slots.radius[:, some, None]  # [B, k, 1]
        dy, dx = rows - cell // grid[1], columns - cell % grid[1]  # [B, k, h], [B, k, w]
        held = slots.mask[:, some, None] > 0
        down = torch.where((dy.abs() <= radius) & held, dy**2, far) + radius * bells.shape[1]
        across = torch.where(dx.abs() <= radius, dx**2, far)
        bell = bells.take(down[..., None] + across[:, :, None])  # [B, k, h, w]
        label = slots.label[:, some, None, None].expand_as(bell)
        heatmaps.scatter_reduce_(1, label, bell, "amax")
    return heatmaps


def known_cells(known: Tensor, stride: int) -> Tensor:
    """Weights of heatmap negatives: where objects that stand there would have been annotated.

    Args:
        known: float [B, 1, H, W], 1 where pixels are labelled, 0 in ignore regions and the like.
        stride: pixels per cell, dividing H and W.

    Returns:
        float [B, 1, H/stride, W/stride]: 1 where more than half of the cell's pixels are known, else 0.
    """
    return (functional.avg_pool2d(known, stride) > 0.5).to(known.dtype)

"""Which object an anchor or a proposal answers for, if any (Ren et al., NIPS 2015, section 3.1.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spotlabel.detector.regions.boxes import area, clip, iou
from spotlabel.detector.tensors import uncompiled

POSITIVE, NEGATIVE, UNUSED = 1, 0, -1


class Objects(NamedTuple):
    """What there is to find in B pictures, at most K objects in each.

    Attributes:
        boxes: float32 [B, K, 4], inside the pictures; without area where there is no object.
        classes: int64 [B, K].
        present: bool [B, K]; the objects of a picture come first.
    """

    boxes: Tensor
    classes: Tensor
    present: Tensor


class Matches(NamedTuple):
    """The part that each of N boxes plays in training.

    Attributes:
        best: int64 [B, N], the object that fits best; 0 where there is none.
        label: int64 [B, N]: 1 positive, 0 negative, -1 not used.
    """

    best: Tensor
    label: Tensor


@uncompiled
def visible_objects(boxes: Tensor, classes: Tensor, present: Tensor, extent: Tensor) -> Objects:
    """Objects clipped to their pictures, moved to the front, without more empty slots than needed.

    Args:
        boxes: [B, K, 4]; may reach off the canvas.
        classes: int64 [B, K].
        present: bool [B, K].
        extent: [B, 2], height and width of each picture.

    Returns:
        K is the most objects of any picture, rounded up to a multiple of 8 so that few shapes occur.
    """
    clipped = clip(boxes, extent)
    seen = present & (area(clipped) > 0)
    slots = min(present.shape[1], -(-max(1, int(seen.sum(1).max())) // 8) * 8)
    order = seen.byte().argsort(dim=1, descending=True, stable=True)[:, :slots]
    seen = seen.gather(1, order)
    chosen = clipped.gather(1, order.unsqueeze(2).expand(-1, -1, 4)) * seen.unsqueeze(2)
    return Objects(chosen, classes.gather(1, order), seen)


def match(boxes: Tensor, objects: Objects, high: float, low: float, keep_best: bool = False) -> Matches:
    """Match boxes with objects by IoU.

    Args:
        boxes: [B, N, 4] or [N, 4].
        objects: what there is to find.
        high: boxes that overlap an object by this IoU or more are positive.
        low: boxes that overlap every object by less are negative; those between are not used.
        keep_best: the best boxes of an object are positive, however little they overlap it; they answer for
            the object that they themselves fit best.

    Returns:
        See :class:`Matches`.
    """
    overlap = iou(objects.boxes, boxes.expand(len(objects.boxes), -1, -1))  # [B, K, N]; absent objects: 0
    best, index = overlap.max(dim=1)
    label = torch.full_like(index, UNUSED)
    label[best < low] = NEGATIVE
    label[best >= high] = POSITIVE
    if keep_best:
        summit = overlap.amax(dim=2, keepdim=True)  # [B, K, 1]
        label[((overlap == summit) & (summit > 0)).any(dim=1)] = POSITIVE
    return Matches(index, label)


def unlabelled_share(boxes: Tensor, labelled: Tensor) -> Tensor:
    """Share of each box's own area that lies where nobody labelled objects.

    Args:
        boxes: [B, N, 4] or [N, 4], of positive area; what lies off the canvas counts as labelled.
        labelled: float32 [B, 1, H, W]: 0 where objects may stand unlabelled, else 1.

    Returns:
        [B, N] in [0, 1].
    """
    batch, _, height, width = labelled.shape
    # Sums of at most 2^24 ones are exact in single precision.
    sums = torch.nn.functional.pad(1 - labelled[:, 0], (1, 0, 1, 0)).cumsum(1).cumsum(2)  # [B, H+1, W+1]
    x0, y0, x1, y1 = boxes.expand(batch, -1, -1).unbind(-1)
    x0, x1 = x0.clamp(0, width), x1.clamp(0, width)
    y0, y1 = y0.clamp(0, height), y1.clamp(0, height)
    inside = _read(sums, x1, y1) - _read(sums, x0, y1) - _read(sums, x1, y0) + _read(sums, x0, y0)
    return inside / area(boxes)


def _read(sums: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Integral image [B, H+1, W+1] at points x, y [B, N]: bilinear, which is exact between whole pixels."""
    height, width = sums.shape[1] - 1, sums.shape[2] - 1
    left, top = x.floor().clamp(max=width - 1), y.floor().clamp(max=height - 1)
    right, lower = x - left, y - top
    place = (top * (width + 1) + left).long()
    flat = sums.flatten(1)
    upper_row = flat.gather(1, place) * (1 - right) + flat.gather(1, place + 1) * right
    place = place + width + 1
    lower_row = flat.gather(1, place) * (1 - right) + flat.gather(1, place + 1) * right
    return upper_row * (1 - lower) + lower_row * lower

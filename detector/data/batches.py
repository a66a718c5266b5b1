"""Samples of one canvas as a batch, on the CPU (:class:`spotlabel.detector.contract.Batch`)."""

from __future__ import annotations

from collections.abc import Sequence as Seq

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spotlabel.detector.contract import Batch
from spotlabel.detector.data.samples import Sample

Float32 = npt.NDArray[np.float32]

SLOTS = 16
"""Slots for objects come in multiples of this: few different shapes, and none is empty."""


def stack_samples(samples: Seq[Sample]) -> Batch:
    """A batch of samples of one canvas."""
    height, width = samples[0].mask.shape[1:]
    boxes, classes, present = stack_objects(
        [s.boxes for s in samples], [s.class_id for s in samples], (height, width)
    )
    return {
        "image": _stacked([s.image for s in samples]),
        "extent": whole_canvas(len(samples), (height, width)),
        "boxes": boxes,
        "classes": classes,
        "present": present,
        "mask": _stacked([s.mask for s in samples]),
        "known": _stacked([s.known for s in samples]),
        "labelled": _stacked([s.labelled for s in samples]),
    }


def stack_objects(
    boxes: Seq[Float32], class_id: Seq[npt.NDArray[np.int64]], canvas: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Objects of B images in slots; the k-th object of an image has the k-th slot.

    Args:
        boxes: per image (N, 4), x0, y0, x1, y1 in canvas pixels.
        class_id: per image (N,).
        canvas: height and width; objects without a part on it leave their slots empty.

    Returns:
        ``boxes``, ``classes`` and ``present`` of :class:`spotlabel.detector.contract.Batch`.
    """
    most = max(len(rows) for rows in boxes)
    slots = SLOTS * max(1, -(-most // SLOTS))
    stacked = np.zeros((len(boxes), slots, 4), np.float32)
    classes, present = np.zeros((len(boxes), slots), np.int64), np.zeros((len(boxes), slots), np.bool_)
    for k, (rows, labels) in enumerate(zip(boxes, class_id, strict=True)):
        inside = np.clip(rows, 0, [canvas[1], canvas[0], canvas[1], canvas[0]])
        seen = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
        present[k, : len(rows)] = seen
        stacked[k, : len(rows)] = np.where(seen[:, None], rows, 0)
        classes[k, : len(rows)] = np.where(seen, labels, 0)
    return torch.from_numpy(stacked), torch.from_numpy(classes), torch.from_numpy(present)


def whole_canvas(count: int, canvas: tuple[int, int]) -> Tensor:
    """``extent`` of ``count`` images that fill the canvas (or lie anywhere on it)."""
    return torch.tensor(canvas).repeat(count, 1)


def _stacked(arrays: Seq[Float32]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))

"""Background samples: frames spread evenly over a video, each with its visibility mask, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame
from spotlabel.labelers.masks.boxes import paint, touched_rects

UInt8 = npt.NDArray[np.uint8]

OCCLUDED, UNCERTAIN, VISIBLE = 0, 1, 2
"""Values of a visibility mask: background occluded by a boxed object; an ignore region, where an object may
occlude it; background visible."""


@dataclass(frozen=True)
class Samples:
    """Background samples of a video.

    Attributes:
        numbers: of the frames, rising.
        images: uint8 (H, W, 3) each.
        visibility: uint8 (H, W) each, visibility masks of ``OCCLUDED``, ``UNCERTAIN`` or ``VISIBLE``.
        boxes: float32 (N, 4) each.
    """

    numbers: list[int]
    images: list[UInt8]
    visibility: list[UInt8]
    boxes: list[npt.NDArray[np.float32]]


def collect_samples(clip: Clip, max_count: int, margin: int) -> Samples:
    """Read every n-th frame of a clip, n the smallest power of two that is enough.

    If fewer than half of these can be read, all frames are, and of those that can every n-th is kept.

    Args:
        clip: the video.
        max_count: number of frames to keep at most.
        margin: px around boxes that count as occluded.
    """
    stride = 1
    while stride * max_count < len(clip):
        stride *= 2
    kept = list(clip.sampled(stride))
    if 2 * stride * len(kept) < len(clip):
        kept = _spread(iter(clip), max_count)
    return Samples(
        numbers=[frame.number for frame in kept],
        images=[frame.image for frame in kept],
        visibility=[visibility_mask(frame, margin) for frame in kept],
        boxes=[frame.boxes for frame in kept],
    )


def _spread(frames: Iterator[ClipFrame], max_count: int) -> list[ClipFrame]:
    """Every n-th of some frames, n the smallest power of two that is enough."""
    kept: list[ClipFrame] = []
    stride = 1
    for index, frame in enumerate(frames):
        if len(kept) == max_count and index % stride == 0:
            kept, stride = kept[::2], 2 * stride
        if index % stride == 0:
            kept.append(frame)
    return kept


def visibility_mask(frame: ClipFrame, margin: int) -> UInt8:
    """Where a frame shows the background: uint8 (H, W), ``OCCLUDED``, ``UNCERTAIN`` or ``VISIBLE``.

    Args:
        frame: with its boxes and ignore regions.
        margin: px around boxes that count as occluded.
    """
    shape = (frame.image.shape[0], frame.image.shape[1])
    plane = np.full(shape, VISIBLE, np.uint8)
    paint(plane, touched_rects(frame.regions, shape), UNCERTAIN)
    paint(plane, grown_rects(frame.boxes, shape, margin), OCCLUDED)
    return plane


def grown_rects(boxes: npt.NDArray[np.float32], shape: tuple[int, int], margin: int) -> npt.NDArray[np.int64]:
    """Pixels of boxes grown (or, with a negative margin, shrunk) on every side: int64 (N, 4)."""
    grown = boxes + np.array([-margin, -margin, margin, margin], np.float32)
    return touched_rects(grown, shape)

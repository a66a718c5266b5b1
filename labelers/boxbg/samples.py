"""First pass: frames spread evenly over a video, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame
from spotlabel.labelers.masks.boxes import paint, touched_rects

UInt8 = npt.NDArray[np.uint8]

HIDDEN, DOUBTFUL, CLEAR = 0, 1, 2
"""What a frame shows at a pixel: a boxed object; an ignore region, where an object may be; background."""


@dataclass(frozen=True)
class Samples:
    """Some frames of a video.

    Attributes:
        numbers: of the frames, rising.
        images: uint8 (H, W, 3) each.
        sight: uint8 (H, W) each, ``HIDDEN``, ``DOUBTFUL`` or ``CLEAR``.
        boxes: float32 (N, 4) each.
        regions: float32 (M, 4) each, ignore regions.
    """

    numbers: list[int]
    images: list[UInt8]
    sight: list[UInt8]
    boxes: list[npt.NDArray[np.float32]]
    regions: list[npt.NDArray[np.float32]]


def collect(clip: Clip, most: int, margin: int) -> Samples:
    """Read every n-th frame of a clip, n the smallest power of two that is enough.

    If fewer than half of these can be read, all frames are, and of those that can every n-th is kept.

    Args:
        clip: the video.
        most: number of frames to keep at most.
        margin: px by which boxes hide more than they hold.
    """
    stride = 1
    while stride * most < len(clip):
        stride *= 2
    kept = list(clip.sampled(stride))
    if 2 * stride * len(kept) < len(clip):
        kept = _spread(iter(clip), most)
    return Samples(
        numbers=[frame.number for frame in kept],
        images=[frame.image for frame in kept],
        sight=[sight(frame, margin) for frame in kept],
        boxes=[frame.boxes for frame in kept],
        regions=[frame.regions for frame in kept],
    )


def _spread(frames: Iterator[ClipFrame], most: int) -> list[ClipFrame]:
    """Every n-th of some frames, n the smallest power of two that is enough."""
    kept: list[ClipFrame] = []
    stride = 1
    for index, frame in enumerate(frames):
        if len(kept) == most and index % stride == 0:
            kept, stride = kept[::2], 2 * stride
        if index % stride == 0:
            kept.append(frame)
    return kept


def sight(frame: ClipFrame, margin: int) -> UInt8:
    """What a frame shows at each pixel: uint8 (H, W), ``HIDDEN``, ``DOUBTFUL`` or ``CLEAR``."""
    shape = (frame.image.shape[0], frame.image.shape[1])
    plane = np.full(shape, CLEAR, np.uint8)
    paint(plane, touched_rects(frame.regions, shape), DOUBTFUL)
    paint(plane, grown_rects(frame.boxes, shape, margin), HIDDEN)
    return plane


def grown_rects(boxes: npt.NDArray[np.float32], shape: tuple[int, int], margin: int) -> npt.NDArray[np.int64]:
    """Pixels of boxes grown (or, with a negative margin, shrunk) on every side: int64 (N, 4)."""
    grown = boxes + np.array([-margin, -margin, margin, margin], np.float32)
    return touched_rects(grown, shape)

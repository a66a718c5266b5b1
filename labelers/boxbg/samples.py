"""First pass: frames spread evenly over a video of unknown length, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.base import Clip, ClipFrame
from labelers.masks.boxes import paint, touched_rects

UInt8 = npt.NDArray[np.uint8]

HIDDEN, DOUBTFUL, CLEAR = 0, 1, 2
"""What a frame shows at a pixel: a boxed object; an ignore region, where an object may be; background."""


@dataclass(frozen=True)
class Samples:
    """Some frames of a video.

    Attributes:
        index: positions in the clip, rising.
        images: uint8 (H, W, 3) each.
        sight: uint8 (H, W) each, ``HIDDEN``, ``DOUBTFUL`` or ``CLEAR``.
        boxes: float32 (N, 4) each.
        length: number of frames of the clip.
    """

    index: list[int]
    images: list[UInt8]
    sight: list[UInt8]
    boxes: list[npt.NDArray[np.float32]]
    length: int


def collect(clip: Clip, most: int, margin: int) -> Samples:
    """Run through a clip once and keep every n-th frame, n the smallest power of two that is enough.

    Args:
        clip: the video.
        most: number of frames to keep at most.
        margin: px by which boxes hide more than they hold.
    """
    kept: list[tuple[int, ClipFrame]] = []
    stride, length = 1, 0
    for index, frame in enumerate(clip):
        length = index + 1
        if index % stride:
            continue
        if len(kept) == most:
            kept, stride = kept[::2], 2 * stride
            if index % stride:
                continue
        kept.append((index, frame))
    return Samples(
        index=[index for index, _ in kept],
        images=[frame.image for _, frame in kept],
        sight=[sight(frame, margin) for _, frame in kept],
        boxes=[frame.boxes for _, frame in kept],
        length=length,
    )


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

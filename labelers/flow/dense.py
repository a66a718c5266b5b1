"""Dense optical flow (Farneback) between neighbouring frames, which all labelers of moving cameras share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from spotlabel.labelers.base import Clip, ClipFrame, Settings

Grey = npt.NDArray[np.uint8]


class FlowSettings(Settings):
    """Settings of Farneback's flow, named as in OpenCV; the defaults are the SpotNet paper's."""

    pyr_scale: float = Field(0.5, gt=0, lt=1)
    """Size of a pyramid level relative to the one below."""
    levels: int = Field(3, ge=1, le=16)
    """Pyramid levels, the full image included."""
    winsize: int = Field(15, ge=1, le=255)
    """Side of the averaging window, px."""
    iterations: int = Field(3, ge=1, le=100)
    """Iterations per level."""
    poly_n: int = Field(5, ge=3, le=15)
    """Side of the neighbourhood in which a polynomial is fitted, px."""
    poly_sigma: float = Field(1.2, gt=0, le=10)
    """Standard deviation of the weights of that fit, px."""
    flags: int = Field(0, ge=0)
    """OpenCV's flags; 256 is a Gaussian in place of a box as averaging window."""


@dataclass(frozen=True, slots=True)
class FramePair:
    """Two grey frames between which flow is computed.

    Attributes:
        start: uint8 (H, W), where the motion starts.
        end: uint8 (H, W), where it ends.
        gap: distance of the two in frame steps, >= 1; more than 1 if frames between were unreadable.
    """

    start: Grey
    end: Grey
    gap: float


def frame_pairs(clip: Clip) -> Iterator[FramePair | None]:
    """One pair per frame of a clip: the frame before and the frame itself.

    The first frame has none before it; as in the released SpotNet scripts its pair is the second frame
    and itself, that is the motion backwards in time.

    Yields:
        A pair for each frame in order; a single None for a clip of one frame.
    """
    first: ClipFrame | None = None
    before: Grey | None = None
    for frame in clip:
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        if first is None or before is None:
            first, last_number = frame, frame.number
        else:
            gap = (frame.number - last_number) / clip.step
            if last_number == first.number:
                yield FramePair(start=grey, end=before, gap=gap)
            yield FramePair(start=before, end=grey, gap=gap)
            last_number = frame.number
        before = grey
    if first is not None and last_number == first.number:
        yield None


def dense_flow(pair: FramePair, settings: FlowSettings) -> npt.NDArray[np.float32]:
    """Farneback's dense flow ("Two-frame motion estimation based on polynomial expansion", SCIA 2003).

    Returns:
        float32 (H, W, 2): displacement in x and y from ``start`` to ``end``, px, on the grid of ``start``.
    """
    s = settings
    flow: npt.NDArray[np.float32] = cv2.calcOpticalFlowFarneback(
        pair.start,
        pair.end,
        None,
        s.pyr_scale,
        s.levels,
        s.winsize,
        s.iterations,
        s.poly_n,
        s.poly_sigma,
        s.flags,
    )
    return flow


def flow_speed(pair: FramePair, settings: FlowSettings, border: int) -> npt.NDArray[np.float32]:
    """Length of Farneback's flow, with the frames continued by ``border`` px (last pixel repeated) meanwhile.

    Returns:
        float32 (H, W): px per frame, on the grid of ``start``; where frames are missing, the displacement is
        shared among them.
    """
    height, width = pair.start.shape
    flow = dense_flow(
        FramePair(continued(pair.start, border), continued(pair.end, border), pair.gap), settings
    )
    x, y = cv2.split(flow[border : border + height, border : border + width])
    speed: npt.NDArray[np.float32] = cv2.magnitude(x, y)
    return speed / np.float32(pair.gap)


def continued(image: Grey, border: int) -> Grey:
    """An image with its outermost pixels repeated outwards, uint8 (H + 2 border, W + 2 border)."""
    wide: Grey = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    return wide if border else image

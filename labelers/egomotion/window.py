"""Sliding window of a few frames around each frame of a clip, with the camera's motion between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame
from spotlabel.labelers.egomotion.camera import (
    STANDING,
    CameraMotion,
    Grey,
    Plane,
    background_mask,
    camera_motion,
)


@dataclass(frozen=True, slots=True)
class View:
    """A frame and how the camera came to it.

    Attributes:
        frame: the frame itself.
        grey: uint8 (H, W).
        background: uint8 (H, W), not 0 where no box is near.
        arrival: motion of the background from the frame before to this one; at the first frame, none.
        gap: distance from the frame before in steps of the clip; at the first frame, 0.
    """

    frame: ClipFrame
    grey: Grey
    background: Plane
    arrival: CameraMotion
    gap: float

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """Boxes of the frame, float32 (N, 4)."""
        return self.frame.boxes


@dataclass(frozen=True, slots=True)
class Window:
    """Successive frames; ``views[middle]`` is the one that is being labelled."""

    views: tuple[View, ...]
    middle: int

    @property
    def view(self) -> View:
        """The frame that is being labelled."""
        return self.views[self.middle]

    def motion_to(self, index: int) -> CameraMotion:
        """Motion of the background from the middle frame to ``views[index]``."""
        first, last = sorted((self.middle, index))
        motion = STANDING
        for view in self.views[first + 1 : last + 1]:
            motion = motion.then(view.arrival)
        return motion if index >= self.middle else motion.reversed()


def windows(clip: Clip, reach: int, dilation: float) -> Iterator[Window]:
    """One window per frame of a clip, in order; at most ``2 * reach + 1`` frames are held.

    Args:
        clip: the frames.
        reach: so many frames before and after, where there are so many.
        dilation: see :func:`spotlabel.labelers.egomotion.camera.background_mask`.
    """
    recent: deque[View] = deque(maxlen=2 * reach + 1)
    index = -1
    for index, view in enumerate(_views(clip, dilation)):
        recent.append(view)
        if index >= reach:
            yield Window(tuple(recent), len(recent) - 1 - reach)
    count = index + 1
    for late in range(max(count - reach, 0), count):
        keep = tuple(recent)[max(0, len(recent) - (count - late) - reach) :]
        yield Window(keep, len(keep) - (count - late))


def _views(clip: Clip, dilation: float) -> Iterator[View]:
    """Every frame with the camera's motion from the one before."""
    before: View | None = None
    for frame in clip:
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        background = background_mask(frame.boxes, clip.size, dilation)
        if before is None:
            before = View(frame, grey, background, STANDING, 0.0)
        else:
            arrival = camera_motion(before.grey, grey, before.background)
            gap = (frame.number - before.frame.number) / clip.step
            before = View(frame, grey, background, arrival, gap)
        yield before

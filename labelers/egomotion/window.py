"""Sliding window of a few frames around each frame of a clip, with the camera's motion between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame
from spotlabel.labelers.egomotion.camera import (
    STANDING,
    CameraMotion,
    Matrix,
    background_mask,
    camera_motion,
)
from spotlabel.labelers.egomotion.corners import Grey, Plane, Tracking, tracked_corners

Colour = npt.NDArray[np.uint8]
HALVINGS = 2
"""So often a frame is halved: a patch is taken from an image not much finer than it is looked at."""


@dataclass(frozen=True)
class View:
    """A frame and how the camera came to it.

    Attributes:
        frame: the frame itself.
        background: uint8 (H, W), not 0 where no box is near.
        arrival: motion of the background from the frame before to this one; at the first frame, none.
        gap: distance from the frame before in steps of the clip; at the first frame, 0.
    """

    frame: ClipFrame
    background: Plane
    arrival: CameraMotion
    gap: float

    @property
    def grey(self) -> Grey:
        """The image without colour, uint8 (H, W), made anew when it is asked for: most views never are."""
        return _grey(self.frame.image)

    @cached_property
    def levels(self) -> tuple[Colour, ...]:
        """The image itself and coarser ones, uint8 (h, w, 3) each, half the size of the one before.

        Made when they are first asked for: most views of ``egoflow-cut`` and all of ``egoflow`` never are.
        """
        levels = [self.frame.image]
        for _ in range(HALVINGS):
            size = max(1, levels[-1].shape[1] // 2), max(1, levels[-1].shape[0] // 2)
            levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA), np.uint8))
        return tuple(levels)

    def level_for(self, coarseness: float) -> int:
        """Index of the coarsest level whose px span at most so many px of the frame."""
        return sum(coarseness * level.shape[1] >= self.frame.image.shape[1] for level in self.levels[1:])

    def to_level(self, level: int) -> Matrix:
        """From px of the frame to px of a level, float64 (3, 3)."""
        (height, width), (whole_height, whole_width) = self.levels[level].shape[:2], self.background.shape
        x, y = width / whole_width, height / whole_height
        return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])

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


def windows(every_view: Iterable[View], reach: int) -> Iterator[Window]:
    """One window per view, in order; at most ``2 * reach + 1`` are held.

    Args:
        every_view: of a clip, as :func:`views` makes them.
        reach: so many before and after, where there are so many.
    """
    recent: deque[View] = deque(maxlen=2 * reach + 1)
    index = -1
    for index, view in enumerate(every_view):
        recent.append(view)
        if index >= reach:
            yield Window(tuple(recent), len(recent) - 1 - reach)
    count = index + 1
    for late in range(max(count - reach, 0), count):
        keep = tuple(recent)[max(0, len(recent) - (count - late) - reach) :]
        yield Window(keep, len(keep) - (count - late))


def views(
    clip: Clip,
    dilation: float,
    tracking: Tracking = tracked_corners,
    frames: Iterable[ClipFrame] | None = None,
) -> Generator[View]:
    """Every frame with the camera's motion from the one before.

    Args:
        clip: the frames.
        dilation: see :func:`spotlabel.labelers.egomotion.camera.background_mask`.
        tracking: how corners of the background are found again.
        frames: another way to read all of the clip's frames in order.
    """
    before: View | None = None
    earlier: Grey | None = None
    for frame in clip if frames is None else frames:
        grey = _grey(frame.image)
        arrival, gap = STANDING, 0.0
        if before is not None and earlier is not None:
            arrival = camera_motion(earlier, grey, before.background, tracking)
            gap = (frame.number - before.frame.number) / clip.step
        before, earlier = View(frame, background_of(frame, clip, dilation), arrival, gap), grey
        yield before


def background_of(frame: ClipFrame, clip: Clip, dilation: float) -> Plane:
    """Where a frame of a clip shows the background: uint8 (H, W), not 0 where no box is near."""
    return background_mask(frame.boxes, clip.size, dilation)


def _grey(image: Colour) -> Grey:
    """An image without colour, uint8 (H, W)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)

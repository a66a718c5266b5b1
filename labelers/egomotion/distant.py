"""The views of a clip in order, and further ones that lie far before and after each of them.

What stands still for seconds, or is larger than its way in half a second, uncovers what is behind it only in
frames far away. Those ahead are met by a second pass that runs in front of the first; of the many frames
between, the motion of the camera is all that is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from spotlabel.labelers.base import Clip, ClipFrame
from spotlabel.labelers.egomotion.background import Reference
from spotlabel.labelers.egomotion.camera import STANDING, CameraMotion
from spotlabel.labelers.egomotion.corners import Tracking
from spotlabel.labelers.egomotion.window import View, background_of, views
from spotlabel.labelers.errors import LabelerError

_CHANGED = "was read in one of two passes only; let nobody change the video and label it again"


def spacing(reach: int) -> int:
    """How many frames lie between those that are kept beyond ``reach``, and one."""
    return max(1, reach // 2)


class Timeline:
    """A clip's views, one after the other, with what lies far from each.

    Args:
        clip: the frames.
        reach: what is within so many frames needs nobody here: windows that wide hold it
            (:func:`spotlabel.labelers.egomotion.window.windows`).
        far: what lies further than ``reach`` is known up to so many frames away, at frames half of ``reach``
            from each other.
        dilation: see :func:`spotlabel.labelers.egomotion.camera.background_mask`.
        tracking: how corners of the background are found again.
    """

    def __init__(self, clip: Clip, reach: int, far: int, dilation: float, tracking: Tracking) -> None:
        self._clip, self._reach, self._far, self._dilation = clip, reach, far, dilation
        self._ahead, self._every = max(0, far - reach), spacing(reach)
        second = clip.sampled(1) if self._ahead else clip
        self._second = views(clip, dilation, tracking, second)
        self._scout = enumerate(self._second)
        self._met = -1
        self._numbers: dict[int, int] = {}
        self._steps: dict[int, tuple[CameraMotion, float]] = {}
        self._kept: dict[int, View] = {}

    def __iter__(self) -> Iterator[View]:
        """Every view, in order; once.

        Raises:
            LabelerError: the second pass has met other frames.
        """
        with closing(self._second):  # an error would keep it, and what reads ahead for it
            yield from self._following() if self._ahead else self._alone()

    def _alone(self) -> Iterator[View]:
        for index, view in self._scout:
            self._note(index, view)
            yield view

    def _following(self) -> Iterator[View]:
        index = -1
        for index, frame in enumerate(self._clip):
            while self._met < index + self._ahead and (found := next(self._scout, None)):
                self._note(*found)
            if index > self._met or self._numbers[index] != frame.number:
                raise LabelerError(f"frame {frame.number}: {_CHANGED}")
            yield self._kept.get(index) or self._again(index, frame)
        if self._met > index:
            raise LabelerError(f"frame {self._numbers[index + 1]}: {_CHANGED}")

    def around(self, index: int) -> list[Reference]:
        """Views further than ``reach`` from one, as far as the camera's motion to them is known.

        Args:
            index: of the view in the middle of a window, counted from 0; it never falls from call to call.
        """
        for held in (self._numbers, self._steps, self._kept):
            for old in [old for old in held if old < index - self._far]:
                del held[old]
        return [*self._after(index), *self._before(index)]

    def _after(self, index: int) -> Iterator[Reference]:
        motion = STANDING
        for other in range(index + 1, min(index + self._far, self._met) + 1):
            motion = motion.then(self._steps[other][0])
            if not motion.known:
                return
            if other - index > self._reach and other in self._kept:
                yield Reference(self._kept[other], motion.homography)

    def _before(self, index: int) -> Iterator[Reference]:
        motion = STANDING  # from the other view to this one
        for other in range(index - 1, max(index - self._far, 0) - 1, -1):
            motion = self._steps[other + 1][0].then(motion)
            if not motion.known:
                return
            if index - other > self._reach and other in self._kept:
                yield Reference(self._kept[other], motion.reversed().homography)

    def _note(self, index: int, view: View) -> None:
        """What the second pass has met."""
        self._met, self._numbers[index] = index, view.frame.number
        self._steps[index] = view.arrival, view.gap
        if index % self._every == 0:
            self._kept[index] = view

    def _again(self, index: int, frame: ClipFrame) -> View:
        """A view that was met and not kept."""
        return View(frame, background_of(frame, self._clip, self._dilation), *self._steps[index])

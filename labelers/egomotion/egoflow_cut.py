"""Labeler ``egoflow-cut``: outlines of what is in the boxes; for moving cameras.

The camera's motion is estimated as by ``egoflow``. The difference from the background behind each box, as
reference frames show it once registered to this frame's view, and colour are checked against each other in
every box; see :mod:`spotlabel.labelers.egomotion.grabcut`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings
from spotlabel.labelers.egomotion.background import (
    BackgroundDifference,
    Reference,
    background_differences,
    reference_frames,
    reference_indices,
)
from spotlabel.labelers.egomotion.corners import quickly_tracked_corners
from spotlabel.labelers.egomotion.distant import Timeline, spacing
from spotlabel.labelers.egomotion.grabcut import outline
from spotlabel.labelers.egomotion.residual import Place
from spotlabel.labelers.egomotion.sheet import Patch
from spotlabel.labelers.egomotion.window import View, windows
from spotlabel.labelers.tally import CAMERA_MOTION_UNKNOWN, Tally

RING = 0.15
"""So much of a box's side is looked at around it, and at least :data:`MIN_RING` px."""
MIN_RING = 12
FULLEST = 0.85
"""More of a box inside the image hardly any object fills; what fills all of it is a flood."""
TOO_SHORT = "the clip is too short for a frame to compare with, a sixth of `reach` away or more,"
"""What is said of frames for which a shorter ``reach`` would have served."""


class EgoflowCutSettings(Settings):
    """Settings of the labeler ``egoflow-cut``."""

    dilation: float = Field(0.05, ge=0, le=1)
    """The background is looked at outside the boxes grown on every side by this share of their side."""
    reach: int = Field(12, ge=1, le=64)
    """How far, in frames, to look for the background behind a box; so many frames on either side are held."""
    far: int = Field(36, ge=0, le=1000)
    """How far, in frames, to look for what no frame within ``reach`` has shown: at frames half of ``reach``
    from each other, the only ones beyond it that are held. 0, as all up to ``reach``, looks no further."""
    most_pixels: int = Field(40_000, ge=1_000, le=4_000_000)
    """Boxes with more pixels than that, surroundings included, are worked on at a coarser scale."""
    most_in_all: int = Field(70_000, ge=1_000)
    """Likewise where all boxes of a frame together have more pixels than that."""

    @property
    def frames_held(self) -> int:
        """How many frames are in memory at a time, at most."""
        return 2 * self.reach + 1 + 2 * math.ceil(max(0, self.far - self.reach) / spacing(self.reach))


class EgoflowCut:
    """Outlines from background difference and colour."""

    name: ClassVar[str] = "egoflow-cut"
    figures: ClassVar[Mapping[str, int]] = {"seen": 1, "flooded": 1}
    version: ClassVar[int] = 6
    kind: ClassVar[EvidenceKind] = EvidenceKind.BINARY
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python",)
    settings_type: ClassVar[type[Settings]] = EgoflowCutSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = EgoflowCutSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield true inside the outlines; false outside the boxes.

        Where the camera's motion is unknown, colour alone decides, and a warning says for how many
        frames; another one, for how many the clip is too short. In a clip of one frame it does so too.
        """
        plain, lonely = (
            Tally(what, "these have outlines by colour alone") for what in (CAMERA_MOTION_UNKNOWN, TOO_SHORT)
        )
        reach, far, dilation = self._settings.reach, self._settings.far, self._settings.dilation
        timeline = Timeline(clip, reach, far, dilation, quickly_tracked_corners)
        for index, window in enumerate(windows(timeline, reach)):
            references, distant = reference_frames(window, reach), timeline.around(index)
            if len(window.views) > 1:
                alone = not reference_indices(window, reach)
                plain.count(window.view.frame.number, not references and not alone)
                lonely.count(window.view.frame.number, alone)
            mask, (seen, flooded) = self._outlines(window.view, references, distant)
            yield Evidence(mask, figures={"seen": seen, "flooded": flooded})
        plain.report(self.name)
        lonely.report(self.name)

    def _outlines(
        self, view: View, references: list[Reference], distant: list[Reference]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Foreground of all boxes of a frame, bool (H, W), and what is said of each, (2, N)."""
        mask, said = (
            np.zeros(view.background.shape, np.bool_),
            np.full((2, len(view.boxes)), np.nan, np.float32),
        )
        pairs = [_places(box, mask.shape) for box in view.boxes]
        visible = [(row, *pair) for row, pair in enumerate(pairs) if _pixels(pair[0])]
        scale = min(
            1.0, (self._settings.most_in_all / max(sum(_pixels(place) for *_, place in visible), 1)) ** 0.5
        )
        sizes = [_worked_size(place, scale, self._settings.most_pixels) for *_, place in visible]
        patches = [Patch(place, size) for (*_, place), size in zip(visible, sizes, strict=True)]
        behinds = background_differences(view, patches, references, distant)
        for (row, inner, place), behind in zip(visible, behinds, strict=True):
            found, seen = _outline(view, behind, inner, place)
            fill = np.count_nonzero(found) / _pixels(inner)
            over = max(0.0, (fill - FULLEST) / (1 - FULLEST))
            said[:, row] = seen, 0.0 if _is_cut(inner, mask.shape) else over
            mask[place] |= found
        return mask, said


def _outline(
    view: View, behind: BackgroundDifference, inner: Place, place: Place
) -> tuple[npt.NDArray[np.bool_], float]:
    """Foreground of one box on the patch around it, bool (h, w), worked out as coarsely as what lies behind.

    And the share of the box behind which a reference frame shows the background; 0 if that decided nothing.
    """
    rows, columns = place
    height, width = rows.stop - rows.start, columns.stop - columns.start
    size = behind.seen.shape
    box = np.zeros((height, width), np.uint8)
    top, left = inner[0].start - rows.start, inner[1].start - columns.start
    box[top : inner[0].stop - rows.start, left : inner[1].stop - columns.start] = 1
    within = cv2.resize(box, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
    image = cv2.resize(view.frame.image[place], size[::-1], interpolation=cv2.INTER_AREA)
    small, compared = outline(image, within, behind)
    full = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    seen = float(behind.seen[within].mean()) if compared else 0.0
    return np.asarray(full & (box > 0), np.bool_), seen


def _worked_size(place: Place, scale: float, most: int) -> tuple[int, int]:
    """Height and width at which a patch is worked on: at most ``scale`` times its own, and ``most`` px."""
    own = min(scale, (most / _pixels(place)) ** 0.5)
    height, width = (part.stop - part.start for part in place)
    return max(1, round(height * own)), max(1, round(width * own))


def _is_cut(place: Place, shape: tuple[int, ...]) -> bool:
    """Whether a box ends at the image's border, so that nobody knows how much of its object it holds."""
    return any(part.start == 0 or part.stop == end for part, end in zip(place, shape, strict=True))


def _pixels(place: Place) -> int:
    """Number of pixels; 0 where it lies outside the image."""
    rows, columns = place
    return int(max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start))


def _places(box: npt.NDArray[np.float32], shape: tuple[int, ...]) -> tuple[Place, Place]:
    """Rows and columns of a box, and of it with its surroundings, both inside the image."""
    x0, y0, x1, y1 = (float(edge) for edge in box)
    dx, dy = max(MIN_RING, RING * (x1 - x0)), max(MIN_RING, RING * (y1 - y0))
    return _place(x0, y0, x1, y1, shape), _place(x0 - dx, y0 - dy, x1 + dx, y1 + dy, shape)


def _place(x0: float, y0: float, x1: float, y1: float, shape: tuple[int, ...]) -> Place:
    """Whole pixels that a rectangle touches."""
    rows = slice(max(int(np.floor(y0)), 0), min(max(int(np.ceil(y1)), 0), shape[0]))
    return rows, slice(max(int(np.floor(x0)), 0), min(max(int(np.ceil(x1)), 0), shape[1]))

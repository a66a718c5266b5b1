"""Labeler ``boxbg``: the two passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from labelers.base import Clip, ClipFrame, Evidence, EvidenceKind, Settings
from labelers.boxbg.cues import Cues, cues
from labelers.boxbg.model import Background, fit_background
from labelers.boxbg.odds import Counts, log_odds
from labelers.boxbg.pose import Pose
from labelers.boxbg.samples import DOUBTFUL, Samples, collect, grown_rects, sight
from labelers.boxbg.settings import BoxbgSettings
from labelers.masks.boxes import has_pixels, inside_rects, patches

NEUTRAL = 128
"""Evidence above this is foreground."""
STEPS = 16
"""Steps of evidence per unit: of the logarithm of the odds, or of the noise's standard deviation."""
_REACH = 12
"""Evidence is worked out this far around boxes, px, so that kernels of the mask stage find it whole."""
_LEARNT = 64
"""Samples at most from which is learnt what objects look like."""
_WINDOW = 7
"""Side of the square over which the odds of pixels are averaged, px."""

UInt8 = npt.NDArray[np.uint8]


class Boxbg:
    """Distance to the background of the whole video, learnt where there are no boxes.

    Evidence is the lesser of two scores, in steps of 1/16 above 128: by how many standard deviations a
    channel differs from the background beyond ``sigmas``, and the mean logarithm of the odds of object
    against background in the 7x7 neighbourhood beyond ``odds``. It is 0 further than 12 px from every box.
    """

    name: ClassVar[str] = "boxbg"
    version: ClassVar[int] = 5
    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy", "opencv-contrib-python")
    settings_type: ClassVar[type[Settings]] = BoxbgSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = BoxbgSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the evidence of every frame; runs through the clip twice."""
        diagonal = float(np.hypot(*clip.size))
        margin = round(self._settings.box_margin * diagonal)
        samples = collect(clip, self._settings.samples, margin)
        if not samples.index:
            return
        scene = learn(samples, self._settings, round(self._settings.ring * diagonal))
        for index, frame in enumerate(clip):
            yield Evidence(scene.evidence(index, frame, margin))


@dataclass(frozen=True)
class Scene:
    """All that is known of a video after the first pass."""

    background: Background
    odds: npt.NDArray[np.float32]
    settings: BoxbgSettings

    def evidence(self, index: int, frame: ClipFrame, margin: int) -> UInt8:
        """Evidence of a frame, uint8 (H, W)."""
        shape = (frame.image.shape[0], frame.image.shape[1])
        values = np.zeros(shape, np.uint8)
        rects = grown_rects(frame.boxes, shape, 0)
        rects = rects[has_pixels(rects)]
        if not len(rects):
            return values
        pose = self.background.finder.find(frame.image, sight(frame, margin))
        for x0, y0, x1, y1 in patches(rects, _REACH, shape):
            place = np.s_[y0:y1, x0:x1]
            ground = placed(self.background, index, pose, place)
            values[place] = self._scored(compared(frame.image[place], ground, pose))
        return values

    def _scored(self, found: Cues) -> UInt8:
        odds = cv2.blur(self.odds[found.kind], (_WINDOW, _WINDOW)) - np.float32(self.settings.odds)
        beyond = found.deviation - np.float32(self.settings.sigmas)
        score = NEUTRAL + STEPS * np.minimum(odds, beyond)
        values: UInt8 = np.clip(np.rint(score), 0, 255).astype(np.uint8)
        return values


@dataclass(frozen=True)
class Ground:
    """Background and noise in the place of a frame: uint8 (H, W, 3) each, noise in quarters of a level."""

    level: UInt8
    sigma: UInt8


def learn(samples: Samples, settings: BoxbgSettings, ring: int) -> Scene:
    """Fit the background, and from the samples what objects look like against it.

    Args:
        samples: the first pass.
        settings: see :class:`BoxbgSettings`.
        ring: width of the surroundings of boxes, px.
    """
    background, poses = fit_background(samples, settings)
    counts = Counts()
    for k in range(0, len(poses), -(-len(poses) // _LEARNT)):
        pose = poses[k]
        boxes, image = samples.boxes[k], samples.images[k]
        if pose is None or not len(boxes):
            continue
        shape = (image.shape[0], image.shape[1])
        outer = grown_rects(boxes, shape, ring)
        within = inside_rects(shape, grown_rects(boxes, shape, -1)) != 0
        near = inside_rects(shape, outer) != 0
        near &= inside_rects(shape, grown_rects(boxes, shape, 1)) == 0
        near &= samples.sight[k] != DOUBTFUL
        for x0, y0, x1, y1 in patches(outer[has_pixels(outer)], 1, shape):
            place = np.s_[y0:y1, x0:x1]
            ground = placed(background, samples.index[k], pose, place)
            counts.add(compared(image[place], ground, pose).kind, within[place], near[place])
    return Scene(background, log_odds(counts, settings.shadow_excess, settings.plain_excess), settings)


def placed(background: Background, index: int, pose: Pose, place: tuple[slice, slice]) -> Ground:
    """A part of the background as the camera sees it at a moment; ``place`` is in the frame."""
    if pose.still:
        return Ground(background.at(index, place), background.sigma[place])
    top, left = place[0].start, place[1].start
    matrix = pose.matrix - [[0, 0, left], [0, 0, top]]
    size = (place[1].stop - left, place[0].stop - top)
    border = cv2.BORDER_REPLICATE
    level = cv2.warpAffine(background.nearest(index), matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    sigma = cv2.warpAffine(background.sigma, matrix, size, flags=cv2.INTER_NEAREST, borderMode=border)
    return Ground(level, sigma)


def compared(image: UInt8, ground: Ground, pose: Pose) -> Cues:
    """Cues of a part of a frame against the background there."""
    return cues(image, ground.level, ground.sigma, pose.curve)

"""What is known of a video after the first pass, and the evidence that follows from it for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import ClipFrame, Evidence
from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.cues import Cues, cues
from spotlabel.labelers.boxbg.edges import along_edges, over_squares
from spotlabel.labelers.boxbg.model import Background, fit_background
from spotlabel.labelers.boxbg.odds import Counts, log_odds
from spotlabel.labelers.boxbg.pose import Pose
from spotlabel.labelers.boxbg.samples import DOUBTFUL, Samples, grown_rects, sight
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.boxbg.shadows.pixels import Patch, shadow_beside, shadow_pixels
from spotlabel.labelers.boxbg.shadows.verdict import Shadows, Witnesses
from spotlabel.labelers.boxbg.warp import moved
from spotlabel.labelers.masks.boxes import has_pixels, inside_rects, patches, touched_rects
from spotlabel.labelers.masks.values import Rects

NEUTRAL = 128
"""Evidence above this is foreground."""
STEPS = 16
"""Steps of evidence per unit: of the logarithm of the odds, or of the noise's standard deviation."""
SHADOW = 64
"""Evidence of pixels that are a shadow by where they lie, at most."""
_REACH = 12
"""Evidence is worked out this far around boxes, px, so that kernels of the mask stage find it whole."""
_LEARNT = 64
"""Samples at most from which is learnt what objects look like."""

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """All that is known of a video after the first pass."""

    background: Background
    odds: npt.NDArray[np.float32]
    shadows: Shadows
    settings: BoxbgSettings

    def evidence(self, frame: ClipFrame, margin: int) -> Evidence:
        """Evidence of a frame; its number tells which background is behind it.

        A frame with boxes that shows something else than the background has zeros, marked as warm-up.
        """
        shape = (frame.image.shape[0], frame.image.shape[1])
        values = np.zeros(shape, np.uint8)
        rects = grown_rects(frame.boxes, shape, 0)
        rects = rects[has_pixels(rects)]
        if not len(rects):
            return Evidence(values)
        regions = touched_rects(frame.regions, shape)
        pose = self.background.finder.find(frame.image, sight(frame, margin))
        if pose.lost:
            return Evidence(values, warm_up=True)
        for place, own in _places(rects, rects, _REACH, shape):
            image = frame.image[place]
            found = compared(image, placed(self.background, frame.number, pose, place), pose)
            values[place] = self._scored(found, image, own)
            if self.shadows != Shadows.UNKNOWN:
                ignored = _relative(regions, place)
                patch = Patch(found, values[place] > NEUTRAL, own, ignored, place[0].stop == shape[0])
                shade = shadow_pixels(patch, self.shadows, self.settings.sigmas)
                np.minimum(values[place], SHADOW, out=values[place], where=shade)
        return Evidence(values)

    def _scored(self, found: Cues, image: UInt8, rects: Rects) -> UInt8:
        odds = self.odds[found.kind]
        if self.settings.edges:
            odds = along_edges(odds, image, rects, self.settings.odds)
        else:
            odds = over_squares(odds)
        values = np.empty(odds.shape, np.uint8)
        _score(odds, found.deviation, self.settings.odds, self.settings.sigmas, values)
        return values


@compiled
def _score(odds: Float, deviation: Float, least: float, sigmas: float, values: UInt8) -> None:
    """The lesser of what either has beyond its threshold, in steps around neutral."""
    height, width = values.shape
    for y in range(height):
        for x in range(width):
            beyond = min(odds[y, x] - np.float32(least), deviation[y, x] - np.float32(sigmas))
            values[y, x] = min(max(np.rint(NEUTRAL + STEPS * beyond), 0), 255)


class Ground(NamedTuple):
    """Background and noise in the place of a frame: uint8 (H, W, 3) each, noise in quarters of a level."""

    level: UInt8
    sigma: UInt8


def learn(samples: Samples, settings: BoxbgSettings, ring: int) -> Scene:
    """Fit the background, and from the samples what objects and their shadows look like against it.

    Args:
        samples: the first pass.
        settings: see :class:`BoxbgSettings`.
        ring: width of the surroundings of boxes, px.
    """
    background, poses = fit_background(samples, settings)
    counts, witnesses = Counts(), Witnesses()
    for k in range(0, len(poses), -(-len(poses) // _LEARNT)):
        for look in _looks(background, samples, k, poses[k], ring):
            counts.add(look.cues.kind, look.within, look.near)
            unlike = look.cues.deviation > settings.sigmas
            beside = shadow_beside(look.cues, look.rects, look.regions, settings.sigmas)
            for rect in look.rects.tolist():
                witnesses.add(look.cues.light, unlike, beside, rect)
    odds = log_odds(counts, settings.shadow_excess, settings.plain_excess)
    shadows = witnesses.verdict() if settings.shadows else Shadows.UNKNOWN
    return Scene(background, odds, shadows, settings)


class _Look(NamedTuple):
    """A part of a sample.

    Attributes:
        cues: against the background, (H, W).
        rects: int64 (M, 4), its boxes.
        regions: int64 (R, 4), ignore regions, in it or not.
        within: bool (H, W), well inside a box.
        near: bool (H, W), in the surroundings of boxes and in none.
    """

    cues: Cues
    rects: Rects
    regions: Rects
    within: Bool
    near: Bool


def _looks(background: Background, samples: Samples, k: int, pose: Pose | None, ring: int) -> Iterator[_Look]:
    """The parts of a sample with boxes; none of a sample that has no place on the background."""
    boxes, image = samples.boxes[k], samples.images[k]
    if pose is None or not len(boxes):
        return
    shape = (image.shape[0], image.shape[1])
    rects, outer = grown_rects(boxes, shape, 0), grown_rects(boxes, shape, ring)
    regions = touched_rects(samples.regions[k], shape)
    within = inside_rects(shape, grown_rects(boxes, shape, -1)) != 0
    near = inside_rects(shape, outer) != 0
    near &= inside_rects(shape, grown_rects(boxes, shape, 1)) == 0
    near &= samples.sight[k] != DOUBTFUL
    for place, own in _places(rects[has_pixels(rects)], outer[has_pixels(outer)], 1, shape):
        found = compared(image[place], placed(background, samples.numbers[k], pose, place), pose)
        yield _Look(found, own, _relative(regions, place), within[place], near[place])


def _places(
    rects: Rects, grown: Rects, margin: int, shape: tuple[int, int]
) -> Iterator[tuple[tuple[slice, slice], Rects]]:
    """Rows and columns of the patches around some rectangles, and the boxes in each, relative to it."""
    for x0, y0, x1, y1 in patches(grown, margin, shape):
        held = (rects[:, :2] >= (x0, y0)).all(axis=1) & (rects[:, 2:] <= (x1, y1)).all(axis=1)
        place = np.s_[y0:y1, x0:x1]
        yield place, _relative(rects[held], place)


def _relative(rects: Rects, place: tuple[slice, slice]) -> Rects:
    """Rectangles seen from the corner of a patch; they may begin outside it."""
    return rects - np.array([place[1].start, place[0].start] * 2, np.int64)


def placed(background: Background, number: int, pose: Pose, place: tuple[slice, slice]) -> Ground:
    """A part of the background as the camera sees it at a moment; ``place`` is in the frame."""
    if pose.still:
        return Ground(background.at(number, place), background.sigma[place])
    top, left = place[0].start, place[1].start
    matrix = pose.matrix - [[0, 0, left], [0, 0, top]]
    size = (place[1].stop - left, place[0].stop - top)
    level = moved(background.wide[background.nearest(number)], matrix, size)
    nearest, border = cv2.INTER_NEAREST, cv2.BORDER_REPLICATE
    sigma = cv2.warpAffine(background.sigma, matrix, size, flags=nearest, borderMode=border)
    return Ground(level, sigma)


def compared(image: UInt8, ground: Ground, pose: Pose) -> Cues:
    """Cues of a part of a frame against the background there."""
    return cues(image, ground.level, ground.sigma, pose.curve)

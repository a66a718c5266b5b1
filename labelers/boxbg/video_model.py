"""Model of a video, fitted in the first pass, and the evidence that follows from it for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import ClipFrame, Evidence
from spotlabel.labelers.boxbg.background import Background, fit_background
from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.cues import Bins, Cues, measure_cues
from spotlabel.labelers.boxbg.odds import BinCounts, log_odds
from spotlabel.labelers.boxbg.registration import Registration
from spotlabel.labelers.boxbg.samples import UNCERTAIN, Samples, grown_rects, visibility_mask
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.boxbg.smoothing import box_filter, guided_filter
from spotlabel.labelers.boxbg.warp import warped
from spotlabel.labelers.masks.boxes import has_pixels, inside_rects, patches
from spotlabel.labelers.masks.values import Rects

NEUTRAL = 128
"""Evidence above this is foreground."""
STEPS = 16
"""Steps of evidence per unit: of the logarithm of the odds, or of the noise's standard deviation."""
_REACH = 12
"""Evidence is worked out this far around boxes, px, so that kernels of the mask stage find it whole."""
_MAX_LEARNT = 64
"""Samples at most from which is learnt what objects patch like."""

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class VideoModel:
    """All that is known of a video after the first pass."""

    background: Background
    odds: npt.NDArray[np.float32]
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
        registration = self.background.registrar.register(frame.image, visibility_mask(frame, margin))
        if registration.failed:
            return Evidence(values, warm_up=True)
        for place, own in _patches(rects, rects, _REACH, shape):
            image = frame.image[place]
            behind = patch_background(self.background, frame.number, registration, place)
            values[place] = self._scored(patch_cues(image, behind, registration), image, own)
        return Evidence(values)

    def _scored(self, cues: Cues, image: UInt8, rects: Rects) -> UInt8:
        """Evidence of a patch, uint8 (H, W)."""
        odds = np.empty(cues.bins.shape, np.float32)
        _look_up(self.odds, cues.bins, odds)
        if self.settings.edges:
            odds = guided_filter(odds, image, rects, self.settings.odds)
        else:
            odds = box_filter(odds)
        values = np.empty(odds.shape, np.uint8)
        _score(odds, cues.deviation, self.settings.odds, self.settings.sigmas, values)
        return values


@compiled
def _look_up(table: Float, bins: Bins, values: Float) -> None:
    height, width = bins.shape
    for y in range(height):
        for x in range(width):
            values[y, x] = table[bins[y, x]]


@compiled
def _score(odds: Float, deviation: Float, least: float, sigmas: float, values: UInt8) -> None:
    """The lesser of what either has beyond its threshold, in steps around neutral."""
    height, width = values.shape
    for y in range(height):
        for x in range(width):
            beyond = min(odds[y, x] - np.float32(least), deviation[y, x] - np.float32(sigmas))
            values[y, x] = min(max(np.rint(NEUTRAL + STEPS * beyond), 0), 255)


class PatchBackground(NamedTuple):
    """Background and noise of a patch of a frame: uint8 (H, W, 3) each, noise in quarters of a grey level."""

    level: UInt8
    sigma: UInt8


def fit_video_model(samples: Samples, settings: BoxbgSettings, ring: int) -> VideoModel:
    """Fit the background, and from the samples what objects and their shadows look like against it.

    Args:
        samples: the first pass.
        settings: see :class:`BoxbgSettings`.
        ring: width of the surroundings of boxes, px.
    """
    background, registrations = fit_background(samples, settings)
    counts = BinCounts()
    for k in range(0, len(registrations), -(-len(registrations) // _MAX_LEARNT)):
        for patch in _sample_patches(background, samples, k, registrations[k], ring):
            counts.add(patch.bins, patch.inside, patch.around)
    odds = log_odds(counts, settings.shadow_excess, settings.plain_excess)
    return VideoModel(background, odds, settings)


class _SamplePatch(NamedTuple):
    """A patch of a sample, from which is learnt.

    Attributes:
        bins: int32 (H, W), joint bins of the cues against the background.
        inside: bool (H, W), well inside a box.
        around: bool (H, W), in the surroundings of boxes and in none.
    """

    bins: Bins
    inside: Bool
    around: Bool


def _sample_patches(
    background: Background, samples: Samples, k: int, registration: Registration | None, ring: int
) -> Iterator[_SamplePatch]:
    """The patches of a sample that hold boxes; none of a sample that could not be registered."""
    boxes, image = samples.boxes[k], samples.images[k]
    if registration is None or not len(boxes):
        return
    shape = (image.shape[0], image.shape[1])
    rects, outer = grown_rects(boxes, shape, 0), grown_rects(boxes, shape, ring)
    inside = inside_rects(shape, grown_rects(boxes, shape, -1)) != 0
    around = inside_rects(shape, outer) != 0
    around &= inside_rects(shape, grown_rects(boxes, shape, 1)) == 0
    around &= samples.visibility[k] != UNCERTAIN
    for place, _ in _patches(rects[has_pixels(rects)], outer[has_pixels(outer)], 1, shape):
        behind = patch_background(background, samples.numbers[k], registration, place)
        bins = patch_cues(image[place], behind, registration).bins
        yield _SamplePatch(bins, inside[place], around[place])


def _patches(
    rects: Rects, grown: Rects, margin: int, shape: tuple[int, int]
) -> Iterator[tuple[tuple[slice, slice], Rects]]:
    """Rows and columns of the patches around some rectangles, and the boxes in each, relative to it."""
    for x0, y0, x1, y1 in patches(grown, margin, shape):
        inside = (rects[:, :2] >= (x0, y0)).all(axis=1) & (rects[:, 2:] <= (x1, y1)).all(axis=1)
        yield np.s_[y0:y1, x0:x1], rects[inside] - np.array([x0, y0, x0, y0], np.int64)


def patch_background(
    background: Background, number: int, registration: Registration, place: tuple[slice, slice]
) -> PatchBackground:
    """Background of a patch at the moment of a frame and in its view; ``place`` is in the frame."""
    if registration.still:
        return PatchBackground(background.at(number, place), background.sigma[place])
    top, left = place[0].start, place[1].start
    matrix = registration.matrix - [[0, 0, left], [0, 0, top]]
    size = (place[1].stop - left, place[0].stop - top)
    level = warped(background.bgra[background.nearest(number)], matrix, size)
    nearest, border = cv2.INTER_NEAREST, cv2.BORDER_REPLICATE
    sigma = cv2.warpAffine(background.sigma, matrix, size, flags=nearest, borderMode=border)
    return PatchBackground(level, sigma)


def patch_cues(image: UInt8, behind: PatchBackground, registration: Registration) -> Cues:
    """Cues of a patch of a frame against the background there."""
    return measure_cues(image, behind.level, behind.sigma, registration.gain)

"""Registration of a frame to the background: a similarity transform, and each channel's exposure gain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.samples import OCCLUDED
from spotlabel.labelers.boxbg.template import (
    MOTION,
    Template,
    exposure_ratios,
    gauss_newton,
    largest_displacement,
    make_template,
    mean_residual,
    sample_template,
    similarity_matrix,
    visible_template,
)

UInt8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Motion = Float64
"""Parameters of a similarity transform: zoom, turn (radians) and shift in x and y (px), (4,)."""

STILL = 0.2
"""Frames displaced by less than this, px, are taken as they are: resampling would cost more than it mends."""
_COARSE = 240
"""Phase correlation works on an image reduced to about this many columns."""
_REMEMBERED = 2
"""Motions of so many frames before are first candidates: the last one may be of another view."""
_FEWEST = 50
"""Fewer visible points than this tell nothing."""
_LEVELS = np.arange(256, dtype=np.float32)[:, None]
_SAME_EXPOSURE = np.ones(3, np.float32)
"""Gain of a frame in the background's own exposure."""
_SAME_LEVEL = 3.0
"""Exposures within so many grey levels of each other are the same."""
_DARK = 20.0
"""Ratios of levels below this are noise."""
_PLAIN = 8.0
"""Exposure is measured where gradients are below this, grey levels per px."""
_ACROSS = 64
"""Rows and columns of the grid of points where exposure is measured."""
_FINE = 15
"""Side of the square whose mean is taken from an image to leave its fine pattern, px."""
_USUAL = 1.2
"""Phase correlation is not tried where a residual is at most so many times the samples' median."""
_MIN_CORRELATION = 0.2
"""Frames whose fine pattern correlates less with the background's where they fit best show something else:
real ones have .46 and more, other views about 0."""


@dataclass(frozen=True)
class Registration:
    """View and exposure of a frame relative to the background.

    Attributes:
        matrix: float64 (2, 3), from background to frame coordinates.
        gain: float32 (3,), of the frame's exposure over the background's, per channel.
        shift: largest displacement of an image corner, px.
        failed: the frame shows something else: it looks like the background neither there nor anywhere near.
    """

    matrix: npt.NDArray[np.float64]
    gain: Float
    shift: float
    failed: bool = False

    @property
    def exposure(self) -> Float:
        """Level in the frame of each level of the background, per channel: float32 (256, 3)."""
        return _exposure(self.gain)

    @property
    def is_identity(self) -> bool:
        """Whether view and exposure are those of the background."""
        return self.still and bool(np.abs(self.exposure - _LEVELS).max() < _SAME_LEVEL)

    def with_background_exposure(self, image: UInt8) -> UInt8:
        """A frame, uint8 (H, W, 3), in the exposure of the background."""
        levels = np.arange(256)
        back = [np.interp(levels, exposure + 1e-3 * levels, levels) for exposure in self.exposure.T]
        table = np.rint(np.stack(back, axis=1)).astype(np.uint8)
        plain: UInt8 = cv2.LUT(image, np.ascontiguousarray(table[None]))
        return plain

    @property
    def still(self) -> bool:
        """Whether the frame need not be warped."""
        return self.shift < STILL


class _Frame(NamedTuple):
    """A frame to be registered.

    Attributes:
        grey: uint8 (H, W), smoothed.
        template: the points of the background that are visible in it, in its exposure.
        contrast: of its exposure over the background's.
    """

    grey: UInt8
    template: Template
    contrast: float


class _Candidate(NamedTuple):
    """A motion, and the mean residual that it leaves at the template's points, grey levels."""

    residual: float
    motion: Motion


def _by_residual(candidate: _Candidate) -> float:
    return candidate.residual


class Registrar:
    """Registers frames to one background.

    Similarity transform (shift, turn, zoom) by inverse compositional alignment (Baker and Matthews, IJCV
    2004) at points of strong gradient, with Huber weights; phase correlation of reduced images gives a first
    candidate, and so do the frames before: give frames in their order.

    Args:
        background: uint8 (H, W, 3).
        known: bool (H, W), where the background is known.
        stabilise: false finds the exposure only.
    """

    def __init__(self, background: UInt8, known: npt.NDArray[np.bool_], stabilise: bool) -> None:
        self._size = background.shape[:2]
        self._stabilise = stabilise
        self._still_residual = 0.0
        self._usual_residual = 0.0
        self._last: list[Motion] = []
        grey = _grey(background).astype(np.float32)
        gx, gy = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1)))
        self._template = make_template(grey, gx, gy, known)
        self._points = self._template.y.astype(np.intp), self._template.x.astype(np.intp)
        self._pattern = _pattern(_grey(background))[self._points]
        height, width = self._size
        across = (np.linspace(2, side - 3, _ACROSS).astype(int) for side in (height, width))
        rows, columns = (plane.ravel() for plane in np.meshgrid(*across, indexing="ij"))
        flat = cv2.blur(background, (3, 3))[rows, columns].astype(np.float32)
        slope = np.hypot(gx[rows, columns], gy[rows, columns])
        keep = known[rows, columns] & (slope < _PLAIN) & (flat.min(axis=1) > _DARK)
        self._gain_points, self._gain_levels = (rows[keep], columns[keep]), flat[keep]
        self._scale = max(width // _COARSE, 1)
        self._reduced = _reduced(grey, self._scale)
        self._window = cv2.createHanningWindow(self._reduced.shape[::-1], cv2.CV_32F)

    def calibrate(
        self, images: list[UInt8], visibilities: list[UInt8], registrations: list[Registration | None]
    ) -> None:
        """Learn from frames with their registrations (None: none) which residual is usual.

        Phase correlation is left out where the last motions leave no more. If all are still, frames that
        leave no more unmoved are not aligned at all.
        """
        residuals = []
        for image, visibility, registration in zip(images, visibilities, registrations, strict=True):
            frame = None if registration is None else self._frame(image, visibility, registration.gain)
            if registration is not None and frame is not None:
                residuals.append(mean_residual(frame.grey, frame.template, registration.matrix))
        if residuals:
            self._usual_residual = _USUAL * float(np.median(residuals))
            if all(registration is not None and registration.still for registration in registrations):
                self._still_residual = float(np.max(residuals))

    def correlation(self, image: UInt8, visibility: UInt8, registration: Registration) -> float:
        """Correlation of a frame's fine pattern with the background's under a registration, -1 to 1.

        Other light hardly changes it; another view, a false registration and damage do. 1 if too little is
        visible.
        """
        return self._correlation(_grey(image), visibility, registration.matrix)

    def _correlation(self, grey: UInt8, visibility: UInt8, matrix: Float64) -> float:
        use = visibility[self._points] != OCCLUDED
        if np.count_nonzero(use) < _FEWEST:
            return 1.0
        here, there = np.empty_like(self._pattern), self._pattern[use]
        sample_template(_pattern(grey), self._template, matrix, here)
        here = here[use]
        scale = np.sqrt(np.mean(here**2) * np.mean(there**2))
        return float(np.mean(here * there) / max(scale, 1e-6))

    def register(self, image: UInt8, visibility: UInt8) -> Registration:
        """Register a frame.

        Args:
            image: uint8 (H, W, 3).
            visibility: uint8 (H, W), see :func:`spotlabel.labelers.boxbg.samples.visibility_mask`; occluded
                pixels are left out.
        """
        gain = self._exposure_gain(image, visibility)
        if not self._stabilise:
            return Registration(np.eye(2, 3), gain, 0.0)
        frame = self._frame(image, visibility, gain)
        if frame is None:
            return Registration(np.eye(2, 3), gain, 0.0)
        unmoved = self._candidate(frame, np.zeros(MOTION))
        if unmoved.residual < self._still_residual:
            return Registration(np.eye(2, 3), gain, 0.0)
        best = self._align(frame, visibility, unmoved)
        matrix = similarity_matrix(best.motion, self._template.centre)
        registration = Registration(matrix, gain, largest_displacement(matrix, self._template.centre))
        if (
            best.residual > self._usual_residual > 0
            and self._correlation(frame.grey, visibility, matrix) < _MIN_CORRELATION
        ):
            return replace(registration, failed=True)
        self._last = [best.motion, *self._last][:_REMEMBERED]
        return registration

    def _frame(self, image: UInt8, visibility: UInt8, gain: Float) -> _Frame | None:
        """A frame with the visible part of the template; None if too little is visible."""
        use = visibility[self._points] != OCCLUDED
        if np.count_nonzero(use) < _FEWEST:
            return None
        grey = _exposure(gain).mean(axis=1)
        contrast = max(float(grey[-1] - grey[0]) / 255, 0.1)
        return _Frame(_grey(image), visible_template(self._template, use, grey), contrast)

    def _align(self, frame: _Frame, visibility: UInt8, unmoved: _Candidate) -> _Candidate:
        """The best of no motion and the last ones, refined; with phase correlation where that is no good."""
        best = self._gauss_newton_best(
            frame, [unmoved, *(self._candidate(frame, last) for last in self._last)]
        )
        if best.residual > self._usual_residual:
            shifts = [self._candidate(frame, shift) for shift in self._shifts(frame.grey, visibility)]
            best = self._gauss_newton_best(frame, [best, *shifts])
        return best

    def _candidate(self, frame: _Frame, motion: Motion) -> _Candidate:
        return _Candidate(
            mean_residual(frame.grey, frame.template, similarity_matrix(motion, self._template.centre)),
            motion,
        )

    def _gauss_newton_best(self, frame: _Frame, candidates: list[_Candidate]) -> _Candidate:
        """The best of some candidates, refined by Gauss-Newton in the shift alone, then in all parameters."""
        best = min(candidates, key=_by_residual)
        for first in (2, 0):
            motion = gauss_newton(frame.grey, frame.template, best.motion, first, (frame.contrast, STILL / 8))
            best = min((self._candidate(frame, motion), best), key=_by_residual)
        return best

    def _exposure_gain(self, image: UInt8, visibility: UInt8) -> Float:
        """The median gain of each channel at points without texture, which small displacements spare.

        A curve of several points follows the camera's response more closely, but takes widespread shadows for
        a part of it.
        """
        ratios = np.empty((3, len(self._gain_levels)), np.float32)
        count = exposure_ratios(image, visibility, self._gain_points, self._gain_levels, ratios)
        if count < _FEWEST:
            return _SAME_EXPOSURE
        low, high = (count - 1) // 2, count // 2
        parted = np.partition(ratios[:, :count], (low, high), axis=1)
        gain: Float = (parted[:, low] + parted[:, high]) * np.float32(0.5)  # np.median takes thrice as long
        return gain

    def _shifts(self, grey: UInt8, visibility: UInt8) -> list[Motion]:
        """Shifts by phase correlation, of the whole image and with what boxes occlude made uniform."""
        whole = _reduced(grey.astype(np.float32), self._scale)
        plain = whole.copy()
        plain[cv2.resize(visibility, whole.shape[::-1], interpolation=cv2.INTER_NEAREST) == OCCLUDED] = (
            whole.mean()
        )
        shifts = [cv2.phaseCorrelate(self._reduced, small, self._window)[0] for small in (whole, plain)]
        return [np.array([0, 0, x, y]) * self._scale for x, y in shifts]


def _exposure(gain: Float) -> Float:
    """Level in a frame of each level of the background: float32 (256, 3)."""
    exposure: Float = np.minimum(_LEVELS * gain, np.float32(255))
    return exposure


def _grey(image: UInt8) -> UInt8:
    """Grey and smoothed a little, so that noise is no texture: uint8 (H, W)."""
    soft: UInt8 = cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3))
    return soft


def _pattern(grey: UInt8) -> Float:
    """What is finer than about :data:`_FINE` px: float32 (H, W)."""
    fine: Float = cv2.subtract(grey, cv2.blur(grey, (_FINE, _FINE)), dtype=cv2.CV_32F)
    return fine


def _reduced(grey: Float, factor: int) -> Float:
    size = (max(grey.shape[1] // factor, 2), max(grey.shape[0] // factor, 2))
    small: npt.NDArray[np.float32] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return small

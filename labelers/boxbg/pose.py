"""Where a frame lies on the background, and how much brighter it is: shake and exposure taken out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.probes import (
    MOTION,
    Probes,
    brightness_ratios,
    chosen,
    displacement,
    matrix_of,
    probes_on,
    refined,
    residual,
    sampled,
)
from spotlabel.labelers.boxbg.samples import HIDDEN

UInt8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Motion = Float64
"""Zoom, turn and shift in x and y: (4,)."""

STILL = 0.2
"""Frames displaced by less than this, px, are taken as they are: resampling would cost more than it mends."""
_COARSE = 240
"""The first guess is made on an image reduced to about this many columns."""
_REMEMBERED = 2
"""Poses of so many frames before are first guesses: the last one may be of elsewhere."""
_FEWEST = 50
"""Fewer points than this tell nothing."""
_SAME = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
"""The curve of an exposure that is the background's."""
_SAME_LEVEL = 3.0
"""Curves within so many grey levels of each other are the same."""
_DARK = 20.0
"""Ratios of levels below this are noise."""
_PLAIN = 8.0
"""Exposure is measured where gradients are below this, grey levels per px."""
_ACROSS = 64
"""Rows and columns of the grid of points where exposure is measured."""
_FINE = 15
"""Side of the square whose mean is taken from a picture to leave its pattern, px."""
_USUAL = 1.2
"""A pose is taken without a search if it leaves no more than so many times what poses of samples leave."""
_ELSEWHERE = 0.2
"""Frames whose pattern correlates less with the background's where they fit best show something else: real
ones have .46 and more, other views about 0."""


@dataclass(frozen=True)
class Pose:
    """Place and exposure of a frame relative to the background.

    Attributes:
        matrix: float64 (2, 3), from background to frame coordinates.
        curve: float32 (256, 3), level in the frame of each level of the background, per channel; never falls.
        shift: largest displacement of an image corner, px.
        lost: the frame shows something else: it does not look like the background there, nor anywhere near.
    """

    matrix: npt.NDArray[np.float64]
    curve: Float
    shift: float
    lost: bool = False

    @property
    def unchanged(self) -> bool:
        """Place and exposure are those of the background."""
        return self.still and bool(np.abs(self.curve - _SAME).max() < _SAME_LEVEL)

    def exposed(self, background: UInt8) -> Float:
        """Background, uint8 (H, W, 3), in the exposure of the frame: float32 (H, W, 3)."""
        exposed: Float = cv2.LUT(background, np.ascontiguousarray(self.curve[None]))
        return exposed

    def unexposed(self, image: UInt8) -> UInt8:
        """A frame, uint8 (H, W, 3), in the exposure of the background."""
        levels = np.arange(256)
        back = [np.interp(levels, curve + 1e-3 * levels, levels) for curve in self.curve.T]
        table = np.rint(np.stack(back, axis=1)).astype(np.uint8)
        plain: UInt8 = cv2.LUT(image, np.ascontiguousarray(table[None]))
        return plain

    @property
    def still(self) -> bool:
        """The frame lies where the background lies."""
        return self.shift < STILL


class _Frame(NamedTuple):
    """What is compared of a frame.

    Attributes:
        grey: uint8 (H, W).
        probes: those it shows, in its exposure.
        contrast: of its exposure over the background's.
    """

    grey: UInt8
    probes: Probes
    contrast: float


class _Guess(NamedTuple):
    """A motion, and the mean difference that it leaves, grey levels."""

    left: float
    motion: Motion


def _by_left(guess: _Guess) -> float:
    return guess.left


class PoseFinder:
    """Finds poses of frames on one background.

    Similarity transform (shift, turn, zoom) by inverse compositional alignment (Baker and Matthews, IJCV
    2004) at points of strong gradient, with Huber weights; phase correlation of reduced images gives a first
    guess, and so do the frames before: give frames in their order.

    Args:
        background: uint8 (H, W, 3).
        known: bool (H, W), where the background is known.
        stabilise: false finds the exposure only.
    """

    def __init__(self, background: UInt8, known: npt.NDArray[np.bool_], stabilise: bool) -> None:
        self._size = background.shape[:2]
        self._stabilise = stabilise
        self._calm = 0.0
        self._usual = 0.0
        self._last: list[Motion] = []
        grey = _grey(background).astype(np.float32)
        gx, gy = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1)))
        self._probes = probes_on(grey, gx, gy, known)
        self._place = self._probes.y.astype(np.intp), self._probes.x.astype(np.intp)
        self._pattern = _pattern(_grey(background))[self._place]
        height, width = self._size
        across = (np.linspace(2, side - 3, _ACROSS).astype(int) for side in (height, width))
        rows, columns = (plane.ravel() for plane in np.meshgrid(*across, indexing="ij"))
        flat = cv2.blur(background, (3, 3))[rows, columns].astype(np.float32)
        keep = known[rows, columns] & (np.hypot(gx, gy)[rows, columns] < _PLAIN) & (flat.min(axis=1) > _DARK)
        self._flat_place, self._flat = (rows[keep], columns[keep]), flat[keep]
        self._scale = max(width // _COARSE, 1)
        self._small = _reduced(grey, self._scale)
        self._window = cv2.createHanningWindow(self._small.shape[::-1], cv2.CV_32F)

    def expect(self, images: list[UInt8], sights: list[UInt8], poses: list[Pose | None]) -> None:
        """Learn from frames with their poses (None: not placed) how much of a difference is left.

        What the last poses explain as well as that is not searched for; if all are still, neither are frames
        that differ no more where they are.
        """
        left = []
        for image, sight, pose in zip(images, sights, poses, strict=True):
            frame = None if pose is None else self._frame(image, sight, pose.curve)
            if pose is not None and frame is not None:
                left.append(residual(frame.grey, frame.probes, pose.matrix))
        if left:
            self._usual = _USUAL * float(np.median(left))
            if all(pose is not None and pose.still for pose in poses):
                self._calm = float(np.max(left))

    def likeness(self, image: UInt8, sight: UInt8, pose: Pose) -> float:
        """Correlation of a frame's fine pattern with the background's where the pose puts it, -1 to 1.

        Other light hardly changes it; another view, a false pose and damage do. 1 if too little can be seen.
        """
        use = sight[self._place] != HIDDEN
        if np.count_nonzero(use) < _FEWEST:
            return 1.0
        here, there = np.empty_like(self._pattern), self._pattern[use]
        sampled(_pattern(_grey(image)), self._probes, pose.matrix, here)
        here = here[use]
        scale = np.sqrt(np.mean(here**2) * np.mean(there**2))
        return float(np.mean(here * there) / max(scale, 1e-6))

    def find(self, image: UInt8, sight: UInt8) -> Pose:
        """Pose of a frame.

        Args:
            image: uint8 (H, W, 3).
            sight: uint8 (H, W), see :func:`spotlabel.labelers.boxbg.samples.sight`; hidden pixels have no
                say.
        """
        curve = self._curve(image, sight)
        if not self._stabilise:
            return Pose(np.eye(2, 3), curve, 0.0)
        frame = self._frame(image, sight, curve)
        if frame is None:
            return Pose(np.eye(2, 3), curve, 0.0)
        unmoved = self._guess(frame, np.zeros(MOTION))
        if unmoved.left < self._calm:
            return Pose(np.eye(2, 3), curve, 0.0)
        best = self._align(frame, sight, unmoved)
        matrix = matrix_of(best.motion, self._probes.centre)
        pose = Pose(matrix, curve, displacement(matrix, self._probes.centre))
        if best.left > self._usual > 0 and self.likeness(image, sight, pose) < _ELSEWHERE:
            return replace(pose, lost=True)
        self._last = [best.motion, *self._last][:_REMEMBERED]
        return pose

    def _frame(self, image: UInt8, sight: UInt8, curve: Float) -> _Frame | None:
        """What is compared of a frame; None if too little can be seen."""
        use = sight[self._place] != HIDDEN
        if np.count_nonzero(use) < _FEWEST:
            return None
        grey = curve.mean(axis=1)
        contrast = max(float(grey[-1] - grey[0]) / 255, 0.1)
        return _Frame(_grey(image), chosen(self._probes, use, grey), contrast)

    def _align(self, frame: _Frame, sight: UInt8, unmoved: _Guess) -> _Guess:
        """The best of none and the last ones, refined; with phase correlation where that is not enough."""
        best = self._refined(frame, [unmoved, *(self._guess(frame, last) for last in self._last)])
        if best.left > self._usual:
            shifts = [self._guess(frame, shift) for shift in self._shifts(frame.grey, sight)]
            best = self._refined(frame, [best, *shifts])
        return best

    def _guess(self, frame: _Frame, motion: Motion) -> _Guess:
        return _Guess(residual(frame.grey, frame.probes, matrix_of(motion, self._probes.centre)), motion)

    def _refined(self, frame: _Frame, guesses: list[_Guess]) -> _Guess:
        """The best of some first guesses, and what shift alone, then all make of that."""
        best = min(guesses, key=_by_left)
        for first in (2, 0):
            found = refined(frame.grey, frame.probes, best.motion, first, (frame.contrast, STILL / 8))
            best = min((self._guess(frame, found), best), key=_by_left)
        return best

    def _curve(self, image: UInt8, sight: UInt8) -> Float:
        """Median ratio per channel at points without texture, which small displacements spare.

        A curve of several points follows the camera's response more closely, but takes widespread shadows for
        a part of it.
        """
        ratios = np.empty((3, len(self._flat)), np.float32)
        count = brightness_ratios(image, sight, self._flat_place, self._flat, ratios)
        if count < _FEWEST:
            return _SAME
        gain = np.median(ratios[:, :count], axis=1)
        curve: Float = np.minimum(_SAME * gain, 255).astype(np.float32)
        return curve

    def _shifts(self, grey: UInt8, sight: UInt8) -> list[Motion]:
        """Shifts by phase correlation, of all there is and with what boxes hide made plain."""
        whole = _reduced(grey.astype(np.float32), self._scale)
        plain = whole.copy()
        plain[cv2.resize(sight, whole.shape[::-1], interpolation=cv2.INTER_NEAREST) == HIDDEN] = whole.mean()
        shifts = [cv2.phaseCorrelate(self._small, small, self._window)[0] for small in (whole, plain)]
        return [np.array([0, 0, x, y]) * self._scale for x, y in shifts]


def _grey(image: UInt8) -> UInt8:
    """Grey and a little soft, so that noise is no texture: uint8 (H, W)."""
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

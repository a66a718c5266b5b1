"""Where a frame lies on the background, and how much brighter it is: shake and exposure taken out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from labelers.boxbg.samples import HIDDEN

UInt8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Motion = npt.NDArray[np.float64]
"""Zoom, turn and shift in x and y: (4,)."""

STILL = 0.2
"""Frames displaced by less than this, px, are taken as they are: resampling would cost more than it mends."""
_PROBES = 4000
"""Points at which a frame is compared with the background."""
_CELLS = 24
"""The probes are spread over so many cells along the longer side of the image."""
_STEPS = 8
"""Gauss-Newton steps at most."""
_COARSE = 240
"""The first guess is made on an image reduced to about this many columns."""
_FEWEST = 50
"""Fewer points than this tell nothing."""
_SAME = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
"""The curve of an exposure that is the background's."""
_SAME_LEVEL = 3.0
"""Curves within so many grey levels of each other are the same."""
_DARK = 20.0
"""Ratios of levels below this are noise."""
_OUTLIER = 3.0
"""Differences beyond this many typical ones count less and less (Huber)."""


_FINE = 15
"""Side of the square whose mean is taken from a picture to leave its pattern, px."""
_USUAL = 1.2
"""A pose is taken without a search if it leaves no more than so many times what poses of samples leave."""


@dataclass(frozen=True)
class Pose:
    """Place and exposure of a frame relative to the background.

    Attributes:
        matrix: float64 (2, 3), from background to frame coordinates.
        curve: float32 (256, 3), level in the frame of each level of the background, per channel; never falls.
        shift: largest displacement of an image corner, px.
    """

    matrix: npt.NDArray[np.float64]
    curve: Float
    shift: float

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


@dataclass(frozen=True)
class _Frame:
    """What is compared of a frame: its grey image, which probes it shows, and its exposure curve (256,)."""

    grey: UInt8
    use: npt.NDArray[np.bool_]
    curve: Float


class PoseFinder:
    """Finds poses of frames on one background.

    Similarity transform (shift, turn, zoom) by inverse compositional alignment (Baker and Matthews, IJCV
    2004) at points of strong gradient, with Huber weights; phase correlation of reduced images gives a first
    guess, and so does the frame before: give frames in their order.

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
        self._last = np.zeros(4)
        grey = _grey(background).astype(np.float32)
        gx, gy = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1)))
        self._y, self._x = _strong_points(np.where(known, np.hypot(gx, gy), 0))
        self._level = grey[self._y, self._x]
        self._pattern = _pattern(_grey(background))[self._y, self._x]
        x, y = self._centred(self._x, self._y)
        dx, dy = gx[self._y, self._x], gy[self._y, self._x]
        # Columns: zoom, turn, shift in x, shift in y; and brightness, lest an offset pass for motion.
        columns = [dx * x + dy * y, dy * x - dx * y, dx, dy, np.ones_like(dx)]
        self._jacobian = np.stack(columns, axis=1).astype(np.float64)
        height, width = self._size
        across = (np.linspace(2, side - 3, 64).astype(int) for side in (height, width))
        self._flat_y, self._flat_x = (plane.ravel() for plane in np.meshgrid(*across, indexing="ij"))
        keep = known[self._flat_y, self._flat_x] & (np.hypot(gx, gy)[self._flat_y, self._flat_x] < 8)
        self._flat_y, self._flat_x = self._flat_y[keep], self._flat_x[keep]
        self._flat = cv2.blur(background, (3, 3))[self._flat_y, self._flat_x].astype(np.float32)
        self._scale = max(width // _COARSE, 1)
        self._small = _reduced(grey, self._scale)
        self._window = cv2.createHanningWindow(self._small.shape[::-1], cv2.CV_32F)

    def expect(self, images: list[UInt8], sights: list[UInt8], poses: list[Pose | None]) -> None:
        """Learn from frames with their poses (None: not placed) how much of a difference is left.

        What the last pose explains as well as that is not searched for; if all are still, neither are frames
        that differ no more where they are.
        """
        left = []
        for image, sight, pose in zip(images, sights, poses, strict=True):
            use = sight[self._y, self._x] != HIDDEN
            if pose is not None and np.count_nonzero(use) >= _FEWEST:
                frame = _Frame(_grey(image), use, pose.curve.mean(axis=1))
                left.append(self._left(frame, pose.matrix))
        if left:
            self._usual = _USUAL * float(np.median(left))
            if all(pose is not None and pose.still for pose in poses):
                self._calm = float(np.max(left))

    def likeness(self, image: UInt8, sight: UInt8, pose: Pose) -> float:
        """Correlation of a frame's fine pattern with the background's where the pose puts it, -1 to 1.

        Other light hardly changes it; another view, a false pose and damage do. 1 if too little can be seen.
        """
        use = sight[self._y, self._x] != HIDDEN
        if np.count_nonzero(use) < _FEWEST:
            return 1.0
        here = self._sampled(_pattern(_grey(image)), pose.matrix)[use]
        there = self._pattern[use]
        scale = np.sqrt(np.mean(here**2) * np.mean(there**2))
        return float(np.mean(here * there) / max(scale, 1e-6))

    def find(self, image: UInt8, sight: UInt8) -> Pose:
        """Pose of a frame.

        Args:
            image: uint8 (H, W, 3).
            sight: uint8 (H, W), see :func:`labelers.boxbg.samples.sight`; hidden pixels have no say.
        """
        curve = self._curve(image, sight)
        if not self._stabilise:
            return Pose(np.eye(2, 3), curve, 0.0)
        use = sight[self._y, self._x] != HIDDEN
        if np.count_nonzero(use) < _FEWEST:
            return Pose(np.eye(2, 3), curve, 0.0)
        frame = _Frame(_grey(image), use, curve.mean(axis=1))
        if self._residual(frame, np.zeros(4)) < self._calm:
            return Pose(np.eye(2, 3), curve, 0.0)
        found = self._last = self._align(frame, sight)
        matrix = self._matrix(found)
        return Pose(matrix, curve, self._shift(matrix))

    def _align(self, frame: _Frame, sight: UInt8) -> Motion:
        """The best of none and the last, refined; of phase correlation as well where that is not enough."""
        near = self._refined(frame, [np.zeros(4), self._last])
        if self._residual(frame, near) <= self._usual:
            return near
        return self._refined(frame, [near, *self._guesses(frame.grey, sight)])

    def _refined(self, frame: _Frame, candidates: list[Motion]) -> Motion:
        """The best of some first guesses, and what shift alone, then all make of that."""
        best = min(candidates, key=lambda one: self._residual(frame, one))
        for free in ([2, 3], [0, 1, 2, 3]):
            refined = self._refine(frame, best, free)
            best = min((refined, best), key=lambda one: self._residual(frame, one))
        return best

    def _curve(self, image: UInt8, sight: UInt8) -> Float:
        """Median ratio per channel at points without texture, which small displacements spare.

        A curve of several points follows the camera's response more closely, but takes widespread shadows for
        a part of it.
        """
        use = (sight[self._flat_y, self._flat_x] != HIDDEN) & (self._flat.min(axis=1) > _DARK)
        if np.count_nonzero(use) < _FEWEST:
            return _SAME
        here = image[self._flat_y[use], self._flat_x[use]]
        gain = np.median(here / self._flat[use], axis=0)
        curve: Float = np.minimum(_SAME * gain, 255).astype(np.float32)
        return curve

    def _refine(self, frame: _Frame, motion: Motion, free: list[int]) -> Motion:
        """Gauss-Newton from a first guess, of some of zoom, turn and the two shifts."""
        jacobian = self._jacobian[frame.use][:, [*free, 4]]
        level = frame.curve[self._level[frame.use].astype(int)]
        contrast = max(float(frame.curve[-1] - frame.curve[0]) / 255, 0.1)
        for _ in range(_STEPS):
            error = self._sampled(frame.grey, self._matrix(motion))[frame.use] - level
            scale = 1.4826 * float(np.median(np.abs(error))) + 1.0
            weight = np.minimum(1.0, _OUTLIER * scale / np.maximum(np.abs(error), 1e-6))
            weighted = jacobian * weight[:, None]
            normal = weighted.T @ jacobian + 1e-6 * np.eye(jacobian.shape[1])
            step = np.zeros(4)
            step[free] = np.linalg.solve(normal, weighted.T @ error)[:-1] / contrast
            motion = motion - step
            if self._shift(self._matrix(step)) < STILL / 8:
                break
        return motion

    def _residual(self, frame: _Frame, motion: Motion) -> float:
        """Mean difference at the probes, grey levels."""
        return self._left(frame, self._matrix(motion))

    def _left(self, frame: _Frame, matrix: npt.NDArray[np.float64]) -> float:
        error = self._sampled(frame.grey, matrix) - frame.curve[self._level.astype(int)]
        return float(np.abs(error[frame.use]).mean())

    def _guesses(self, grey: UInt8, sight: UInt8) -> list[Motion]:
        """Shifts by phase correlation, of all there is and with what boxes hide made plain."""
        whole = _reduced(grey.astype(np.float32), self._scale)
        plain = whole.copy()
        plain[cv2.resize(sight, whole.shape[::-1], interpolation=cv2.INTER_NEAREST) == HIDDEN] = whole.mean()
        shifts = [cv2.phaseCorrelate(self._small, small, self._window)[0] for small in (whole, plain)]
        return [np.array([0, 0, x, y]) * self._scale for x, y in shifts]

    def _sampled(self, grey: UInt8 | Float, m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The frame at the probes, moved along."""
        x = (m[0, 0] * self._x + m[0, 1] * self._y + m[0, 2]).astype(np.float32)
        y = (m[1, 0] * self._x + m[1, 1] * self._y + m[1, 2]).astype(np.float32)
        values = cv2.remap(grey, x[None], y[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(values[0], np.float64)

    def _centred(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x - self._size[1] / 2, y - self._size[0] / 2

    def _matrix(self, motion: Motion) -> npt.NDArray[np.float64]:
        """Zoom and turn about the centre of the image, then the shift: (2, 3)."""
        zoom, turn, dx, dy = motion
        cx, cy = self._size[1] / 2, self._size[0] / 2
        return np.array(
            [[1 + zoom, -turn, dx - zoom * cx + turn * cy], [turn, 1 + zoom, dy - turn * cx - zoom * cy]]
        )

    def _shift(self, matrix: npt.NDArray[np.float64]) -> float:
        height, width = self._size
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
        return float(np.abs(corners @ matrix.T - corners[:, :2]).max())


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


def _strong_points(strength: npt.NDArray[np.float32]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the strongest pixels, the same number at most from every cell of a grid."""
    height, width = strength.shape
    side = max(-(-max(height, width) // _CELLS), 4)
    cells = -(-height // side) * -(-width // side)
    each = max(_PROBES // cells, 1)
    rows, columns = [], []
    for top in range(0, height, side):
        for left in range(0, width, side):
            cell = strength[top : top + side, left : left + side]
            order = np.argsort(cell, axis=None, kind="stable")[::-1][:each]
            order = order[cell.ravel()[order] > 2]
            y, x = np.unravel_index(order, cell.shape)
            rows.append(y + top)
            columns.append(x + left)
    return np.concatenate(rows), np.concatenate(columns)

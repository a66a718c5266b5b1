"""Camera motion between two frames: a homography fitted by RANSAC to corners tracked outside the boxes.

Corners outside the boxes are tracked from one frame to the other and back
(:mod:`spotlabel.labelers.egomotion.corners`), and a homography is fitted to those that return to where they
started, by RANSAC (Fischler and Bolles, CACM 1981). A homography is exact for a camera that only turns or
zooms, and for a scene that is a plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.egomotion.corners import Grey, Plane, Points, Tracking, tracked_corners
from spotlabel.labelers.egomotion.settling import settled

Matrix = npt.NDArray[np.float64]

MAX_INLIER_DISTANCE = 1.0
"""A corner belongs to the background's motion if the homography misses it by at most this, px."""
MIN_CORNERS = 24
"""Fewer corners of the background tell nothing: eight unknowns, each from several corners."""
CELLS, MIN_CELLS = 4, 4
"""Of 4 x 4 cells of the image so many must hold corners: a homography fitted to one place is wild
elsewhere."""
MIN_INLIER_SHARE = 0.4
"""At least this share of the tracked corners must be inliers."""
STILL = 0.05
"""A camera that moves no place of the image by more than this stands still, px."""
AT_REST = 1.2
"""... and so it does if rest misses the corners by at most so many times what the homography misses them by:
the estimate is then within its own noise."""


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """Motion of the background from one frame to another.

    Attributes:
        homography: float64 (3, 3), px of the first frame to px of the second; ``h[2, 2]`` is 1, or -1 where
            the camera has turned so far that the first frame's corner lies behind it (:func:`in_front`).
        known: false if what is outside the boxes did not tell; the homography is then the identity.
    """

    homography: Matrix
    known: bool = True

    @property
    def still(self) -> bool:
        """Whether the homography is exactly the identity."""
        return bool(np.array_equal(self.homography, np.eye(3)))

    def then(self, later: CameraMotion) -> CameraMotion:
        """Motion followed by a later one; known if both are."""
        return CameraMotion(_normalised(later.homography @ self.homography), self.known and later.known)

    def largest_shift(self, shape: tuple[int, ...]) -> float:
        """How far it moves what it moves most in an image of height and width ``shape``, px."""
        return float(_shifts(self.homography, shape).max())

    def reversed(self) -> CameraMotion:
        """From the second frame to the first."""
        return CameraMotion(_normalised(np.linalg.inv(self.homography)), self.known)


STANDING = CameraMotion(np.eye(3))
UNKNOWN_MOTION = CameraMotion(np.eye(3), known=False)


def camera_motion(
    start: Grey, end: Grey, background: Plane, tracking: Tracking = tracked_corners
) -> CameraMotion:
    """Motion of the background between two frames.

    Args:
        start: uint8 (H, W).
        end: uint8 (H, W).
        background: uint8 (H, W), not 0 where ``start`` may be looked at.
        tracking: how corners are found again.

    Returns:
        The homography; the identity, not known, where the background shows too few corners, in too few
        places, or too few that move together.
    """
    here, there = tracking(start, end, background)
    if len(here) < MIN_CORNERS or _cells(here, start.shape) < MIN_CELLS:
        return UNKNOWN_MOTION
    # OpenCV's RANSAC seeds its own generator with a constant: the same corners give the same homography.
    fitted, inliers = cv2.findHomography(here, there, cv2.RANSAC, MAX_INLIER_DISTANCE)
    if fitted is None or not np.isfinite(fitted).all():
        return UNKNOWN_MOTION
    chosen = inliers.ravel() > 0
    if (
        chosen.sum() < max(MIN_CORNERS, MIN_INLIER_SHARE * len(here))
        or _cells(here[chosen], start.shape) < MIN_CELLS
    ):
        return UNKNOWN_MOTION
    homography = settled(_normalised(fitted), here[chosen], there[chosen], start.shape)
    if not _plausible(homography, start.shape):
        return UNKNOWN_MOTION
    at_rest = _median_error(here[chosen], there[chosen]) <= AT_REST * _median_error(
        moved(here[chosen], homography), there[chosen]
    )
    if at_rest or _shifts(homography, start.shape).max() <= STILL:
        return STANDING
    return CameraMotion(homography)


def background_mask(boxes: npt.NDArray[np.float32], shape: tuple[int, int], dilation: float) -> Plane:
    """Mask of the background, where no box is near: uint8 (H, W), 255 or 0.

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
        shape: height and width.
        dilation: boxes are grown on every side by this share of their side, and by 4 px at least.
    """
    plane = np.full(shape, 255, np.uint8)
    for x0, y0, x1, y1 in boxes.tolist():
        dx, dy = max(4.0, dilation * (x1 - x0)), max(4.0, dilation * (y1 - y0))
        columns = slice(max(int(x0 - dx), 0), max(int(np.ceil(x1 + dx)), 0))
        plane[max(int(y0 - dy), 0) : max(int(np.ceil(y1 + dy)), 0), columns] = 0
    return plane


def warped_to(image: npt.NDArray[np.uint8], motion: CameraMotion) -> npt.NDArray[np.uint8]:
    """Another frame warped to the view of this one, as it would look had the camera not moved.

    Args:
        image: uint8 (H, W) or (H, W, 3), the other frame.
        motion: from this frame to the other.

    Returns:
        As ``image``, on this frame's grid; what the other frame did not see repeats its outermost pixels.
    """
    if motion.still:
        return image
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = image.shape[1], image.shape[0]
    warped: npt.NDArray[np.uint8] = cv2.warpPerspective(
        image, motion.homography, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return warped


def moved(points: Points, homography: Matrix) -> Points:
    """Points (N, 2) under a homography, float32 (N, 2)."""
    return np.asarray(cv2.perspectiveTransform(points.reshape(-1, 1, 2), homography), np.float32).reshape(
        -1, 2
    )


def in_front(homography: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether the camera has all of an image of height and width ``shape`` before it.

    Of what lies behind the camera a homography makes a picture too, upside down.
    """
    height, width = shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    return bool((corners @ homography[2] > 0).all())


def _cells(points: Points, shape: tuple[int, ...]) -> int:
    """In how many cells of the image points (N, 2) lie."""
    place = (points * CELLS / [shape[1], shape[0]]).astype(int).clip(0, CELLS - 1)
    return len(np.unique(place[:, 1] * CELLS + place[:, 0]))


def _grid(shape: tuple[int, ...]) -> Points:
    """Nine points from corner to corner of the image, float32 (9, 2)."""
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, 3), np.linspace(0, shape[0] - 1, 3))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def _shifts(homography: Matrix, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """How far a homography moves nine places of the image, px, float64 (9,)."""
    grid = _grid(shape)
    return np.asarray(np.linalg.norm(moved(grid, homography) - grid, axis=1), np.float64)


def _median_error(points: Points, wanted: Points) -> float:
    """Median distance of points (N, 2) from where they are wanted, px."""
    return float(np.median(np.linalg.norm(points - wanted, axis=1)))


def _plausible(homography: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether a camera can do that from one frame to the next: no mirroring, no jump, no collapse."""
    corners = _grid(shape)[[0, 2, 8, 6]]
    image = moved(corners, homography)
    area = cv2.contourArea(image, oriented=True) / cv2.contourArea(corners, oriented=True)
    return bool(0.25 < area < 4 and _shifts(homography, shape).max() < 0.75 * max(shape))


def _normalised(homography: npt.NDArray[np.floating]) -> Matrix:
    """Scaled so that the last element is 1 or -1: its sign tells what is in front of the camera."""
    return np.asarray(homography / abs(homography[2, 2]), np.float64)

"""Corners of the background tracked from one frame to another and back: pyramidal Lucas-Kanade.

Twice: in the frames as they are, and in smaller ones with the last step in those, in a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Tracking = Callable[[Grey, Grey, Plane], tuple[Points, Points]]
"""From a frame, uint8 (H, W), another, and a mask, not 0 where the first may be looked at, to corners of the
first and where they are in the other, float32 (N, 2) each."""

MAX_CORNERS, FEW_CORNERS = 500, 300
"""Corners that are tracked in whole frames and in smaller ones; more cost time and add nothing to eight
unknowns."""
LK_WINDOW, LK_LEVELS = (21, 21), 4
"""Window of Lucas-Kanade, px, and levels of its pyramid above the image."""
COARSE_PIXELS = 50_000
"""A frame is halved as often as leaves it so many pixels."""
COARSE_WINDOW, FINE_WINDOW = (15, 15), (11, 11)
"""Windows in the smaller frame and for the last step, px."""
MAX_ROUND_TRIP = 0.7
"""A corner that returns to further than this from where it started was lost, px."""
_NONE: Points = np.zeros((0, 2), np.float32)


def tracked_corners(start: Grey, end: Grey, background: Plane) -> tuple[Points, Points]:
    """A :data:`Tracking` in the frames as they are."""
    corners = _corners(start, background, MAX_CORNERS)
    if corners is None:
        return _NONE, _NONE
    there, tracked, _ = cv2.calcOpticalFlowPyrLK(
        start, end, corners, None, winSize=LK_WINDOW, maxLevel=LK_LEVELS
    )
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        end, start, there, None, winSize=LK_WINDOW, maxLevel=LK_LEVELS
    )
    round_trip = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    good = (tracked.ravel() > 0) & (returned.ravel() > 0) & (round_trip <= MAX_ROUND_TRIP)
    return corners.reshape(-1, 2)[good], there.reshape(-1, 2)[good]


def quickly_tracked_corners(start: Grey, end: Grey, background: Plane) -> tuple[Points, Points]:
    """A :data:`Tracking` that does most of it in smaller frames.

    A large image is halved first: corners are found and tracked in the small one, and brought to their place
    in the large one from there.
    """
    halvings = max(0, int(np.log2(start.size / COARSE_PIXELS) / 2))
    width, height = start.shape[1] >> halvings, start.shape[0] >> halvings
    small, later = (
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in (start, end)
    )
    mask = cv2.resize(background, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    corners = _corners(small, mask, FEW_CORNERS)
    if corners is None:
        return _NONE, _NONE
    there, _, _ = cv2.calcOpticalFlowPyrLK(
        small, later, corners, None, winSize=COARSE_WINDOW, maxLevel=max(LK_LEVELS - halvings, 0)
    )
    scale = np.array([start.shape[1] / width, start.shape[0] / height], np.float32)
    here, there = ((points + 0.5) * scale - 0.5 for points in (corners, there))
    there, tracked = _refined(start, end, here, there)
    back, returned = _refined(end, start, there, here)
    good = tracked & returned & (np.linalg.norm((back - here).reshape(-1, 2), axis=1) <= MAX_ROUND_TRIP)
    return here.reshape(-1, 2)[good], there.reshape(-1, 2)[good]


def _corners(image: Grey, mask: Plane, most: int) -> Points | None:
    """Corners spread over an image where the mask is not 0, float32 (N, 1, 2); None if there are none."""
    apart = max(4.0, float(np.sqrt(image.size / (4 * most))))
    corners: Points | None = cv2.goodFeaturesToTrack(image, most, 0.002, apart, mask=mask)
    return corners


def _refined(start: Grey, end: Grey, here: Points, there: Points) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Where corners are in ``end``, float32 (N, 1, 2), from where they are about; and which are found."""
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        start, end, here, there.copy(), winSize=FINE_WINDOW, maxLevel=0, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    return np.asarray(found, np.float32), status.ravel() > 0

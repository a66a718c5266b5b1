"""The scene behind a box, from frames in which the box was elsewhere.

Neighbouring frames, brought to the frame's own view, show the background wherever they had no box. A pixel
that looks like none of the backgrounds seen there is foreground. Nothing has to be learnt, and what stands
still in the world is never in front of itself: it is unknown, for its boxes always cover the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from labelers.egomotion.camera import Matrix, Plane, unboxed
from labelers.egomotion.residual import Place
from labelers.egomotion.window import View, Window

Colour = npt.NDArray[np.int16]
UNSEEN = 255
DILATION = 0.05
"""Boxes are grown by this share of their side before a frame is asked for its background."""
SMALLEST_NOISE = 1.5
"""Cameras differ from frame to frame by at least so many grey levels."""
FEWEST_SAMPLES = 50
"""Fewer background pixels around a box tell neither its noise nor the change of exposure."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """How unlike the scene behind it a patch is.

    Attributes:
        difference: uint8 (h, w), grey levels to the most similar background seen there, largest of the
            channels.
        seen: bool (h, w), some frame showed the background.
        noise: typical difference of what is background, grey levels.
    """

    difference: Plane
    seen: npt.NDArray[np.bool_]
    noise: float


def backdrop(window: Window, place: Place, size: tuple[int, int], reach: int) -> Backdrop:
    """Compare a patch of the middle frame with the scene behind it.

    Args:
        window: with up to ``reach`` frames on both sides.
        place: rows and columns of the patch.
        size: height and width at which to compare; the patch is scaled to it.
        reach: frames are taken at 1/6, 1/3, 2/3 and all of this distance on both sides.
    """
    here = _soft(window.view.frame.image[place], size)
    background = _scaled(unboxed(window.view.boxes, window.view.grey.shape, DILATION)[place], size) > 0
    difference, seen = np.full(size, UNSEEN, np.uint8), np.zeros(size, np.bool_)
    for index in _distant(window, reach):
        motion = window.motion_to(index)
        if not motion.known:
            continue
        there, shown = _seen_behind(window.views[index], motion.homography, place, size)
        both = shown & background
        if np.count_nonzero(both) >= FEWEST_SAMPLES:
            there += np.rint(np.median(here[both] - there[both], axis=0)).astype(np.int16)  # exposure
        found = _unlike(here, there)
        difference = np.where(shown, np.minimum(difference, found), difference)
        seen |= shown
    outside = difference[seen & background]
    noise = float(np.median(outside)) if len(outside) >= FEWEST_SAMPLES else 0.0
    return Backdrop(cv2.medianBlur(difference, 5), seen, max(noise, SMALLEST_NOISE))


def _distant(window: Window, reach: int) -> list[int]:
    """Indices of the frames that are asked, as far as there are any."""
    distances = sorted({max(1, round(reach * share)) for share in (1 / 6, 1 / 3, 2 / 3, 1)})
    indices = [window.middle + sign * distance for distance, sign in product(distances, (-1, 1))]
    return [index for index in indices if 0 <= index < len(window.views)]


def _seen_behind(
    view: View, homography: Matrix, place: Place, size: tuple[int, int]
) -> tuple[Colour, npt.NDArray[np.bool_]]:
    """Another frame's picture of a patch, int16 (h, w, 3), and where it shows background."""
    rows, columns = place
    from_patch = homography @ np.array([[1, 0, columns.start], [0, 1, rows.start], [0, 0, 1.0]])
    extent = (columns.stop - columns.start, rows.stop - rows.start)
    inverse = cv2.WARP_INVERSE_MAP
    image = cv2.warpPerspective(view.frame.image, from_patch, extent, flags=cv2.INTER_LINEAR | inverse)
    free = unboxed(view.boxes, view.grey.shape, DILATION)
    shown = cv2.warpPerspective(free, from_patch, extent, flags=cv2.INTER_NEAREST | inverse)
    return _soft(image, size), _scaled(shown, size) > 0


def _unlike(here: Colour, there: Colour) -> Plane:
    """Largest channel difference to the most similar of nine places: registration is not exact."""
    height, width = here.shape[:2]
    wide = cv2.copyMakeBorder(there, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    least = np.full((height, width), UNSEEN - 1, np.int16)
    for dy, dx in product(range(3), range(3)):
        parts = cv2.split(cv2.absdiff(here, wide[dy : dy + height, dx : dx + width]))
        largest = cv2.max(cv2.max(parts[0], parts[1]), parts[2])
        least = np.asarray(cv2.min(least, largest), np.int16)
    return least.astype(np.uint8)


def _soft(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> Colour:
    """A patch at the size of comparison without its finest grain, int16 (h, w, 3)."""
    scaled = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(scaled, (3, 3), 0), np.int16)


def _scaled(plane: Plane, size: tuple[int, int]) -> Plane:
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)

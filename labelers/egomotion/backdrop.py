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

from spotlabel.labelers.egomotion.camera import Matrix, Plane
from spotlabel.labelers.egomotion.residual import Place
from spotlabel.labelers.egomotion.window import View, Window

Colour = npt.NDArray[np.uint8]
UNSEEN = 255
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


@dataclass(frozen=True, slots=True)
class Witness:
    """A frame that may have seen the scene behind a box.

    Attributes:
        view: the frame.
        homography: from the frame that is being labelled to it.
    """

    view: View
    homography: Matrix


def witnesses(window: Window, reach: int) -> list[Witness]:
    """Frames at 1/6, 1/3, 2/3 and all of ``reach`` on both sides, if there are any and the way is known."""
    distances = sorted({max(1, round(reach * share)) for share in (1 / 6, 1 / 3, 2 / 3, 1)})
    indices = [window.middle + sign * distance for distance, sign in product(distances, (-1, 1))]
    ways = [(index, window.motion_to(index)) for index in indices if 0 <= index < len(window.views)]
    return [Witness(window.views[index], motion.homography) for index, motion in ways if motion.known]


def backdrop(view: View, place: Place, size: tuple[int, int], asked: list[Witness]) -> Backdrop:
    """Compare a patch of a frame with the scene behind it.

    Args:
        view: the frame.
        place: rows and columns of the patch.
        size: height and width at which to compare; the patch is scaled to it.
        asked: other frames.
    """
    here = _soft(view.frame.image[place], size)
    background = _scaled(view.background[place], size) > 0
    difference, seen = np.full(size, UNSEEN, np.uint8), np.zeros(size, np.bool_)
    for witness in asked:
        there, shown = _seen_behind(witness, place, size)
        if not shown.any():
            continue
        found = _unlike(here, _exposed(there, here, shown & background))
        difference = np.where(shown, np.minimum(difference, found), difference)
        seen |= shown
    outside = difference[seen & background]
    noise = float(np.median(outside)) if len(outside) >= FEWEST_SAMPLES else 0.0
    return Backdrop(cv2.medianBlur(difference, 5), seen, max(noise, SMALLEST_NOISE))


def _seen_behind(
    witness: Witness, place: Place, size: tuple[int, int]
) -> tuple[Colour, npt.NDArray[np.bool_]]:
    """Another frame's picture of a patch, uint8 (h, w, 3), and where it shows background."""
    rows, columns = place
    from_patch = witness.homography @ np.array([[1, 0, columns.start], [0, 1, rows.start], [0, 0, 1.0]])
    extent, inverse = (columns.stop - columns.start, rows.stop - rows.start), cv2.WARP_INVERSE_MAP
    view = witness.view
    image = cv2.warpPerspective(view.frame.image, from_patch, extent, flags=cv2.INTER_LINEAR | inverse)
    shown = cv2.warpPerspective(view.background, from_patch, extent, flags=cv2.INTER_NEAREST | inverse)
    return _soft(image, size), _scaled(shown, size) > 0


def _exposed(there: Colour, here: Colour, both: npt.NDArray[np.bool_]) -> Colour:
    """Another frame's picture as bright as this one's, by the median of what both show; uint8 (h, w, 3)."""
    if np.count_nonzero(both) < FEWEST_SAMPLES:
        return there
    change = np.median(here[both].astype(np.int16) - there[both], axis=0)
    levels = np.arange(256)[:, None] + np.rint(change)
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(there, table[None]), np.uint8)


def _unlike(here: Colour, there: Colour) -> Plane:
    """Largest channel difference to the most similar of nine places: registration is not exact."""
    height, width = here.shape[:2]
    wide = cv2.split(cv2.copyMakeBorder(there, 1, 1, 1, 1, cv2.BORDER_REPLICATE))
    planes = list(zip(cv2.split(here), wide, strict=True))
    least = np.full((height, width), UNSEEN - 1, np.uint8)
    for dy, dx in product(range(3), range(3)):
        parts = [cv2.absdiff(a, b[dy : dy + height, dx : dx + width]) for a, b in planes]
        cv2.min(least, cv2.max(cv2.max(parts[0], parts[1]), parts[2]), least)
    return least


def _soft(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> Colour:
    """A patch at the size of comparison without its finest grain, uint8 (h, w, 3)."""
    scaled = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(scaled, (3, 3), 0), np.uint8)


def _scaled(plane: Plane, size: tuple[int, int]) -> Plane:
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)

"""Background difference under a moving camera: a patch against registered reference frames.

Reference frames, registered to the frame's own view, show the background wherever they had no box. A pixel
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
MIN_NOISE = 1.5
"""Noise of any camera at least, grey levels."""
MIN_SAMPLES = 50
"""Fewer background pixels around a box tell neither its noise nor the exposure gain."""


@dataclass(frozen=True, slots=True)
class BackgroundDifference:
    """Difference of a patch from the background behind it.

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
class Reference:
    """A reference frame: it may have seen the background behind a box.

    Attributes:
        view: the frame.
        homography: from the frame that is being labelled to it.
    """

    view: View
    homography: Matrix


def reference_frames(window: Window, reach: int) -> list[Reference]:
    """Frames at 1/6, 1/3, 2/3 and all of ``reach`` on both sides, as far as there are and motion is known."""
    distances = sorted({max(1, round(reach * share)) for share in (1 / 6, 1 / 3, 2 / 3, 1)})
    indices = [window.middle + sign * distance for distance, sign in product(distances, (-1, 1))]
    motions = [(index, window.motion_to(index)) for index in indices if 0 <= index < len(window.views)]
    return [Reference(window.views[index], motion.homography) for index, motion in motions if motion.known]


def background_difference(
    view: View, place: Place, size: tuple[int, int], references: list[Reference]
) -> BackgroundDifference:
    """Compare a patch of a frame with the background behind it.

    Args:
        view: the frame.
        place: rows and columns of the patch.
        size: height and width at which to compare; the patch is scaled to it.
        references: from :func:`reference_frames`; none leave everything unseen.
    """
    here = _smoothed(view.frame.image[place], size)
    background = _scaled(view.background[place], size) > 0
    difference, seen = np.full(size, UNSEEN, np.uint8), np.zeros(size, np.bool_)
    for reference in references:
        there, shown = _warped_reference(reference, place, size)
        if not shown.any():
            continue
        unlike = _tolerant_difference(here, _match_exposure(there, here, shown & background))
        difference = np.where(shown, np.minimum(difference, unlike), difference)
        seen |= shown
    outside = difference[seen & background]
    noise = float(np.median(outside)) if len(outside) >= MIN_SAMPLES else 0.0
    return BackgroundDifference(cv2.medianBlur(difference, 5), seen, max(noise, MIN_NOISE))


def _warped_reference(
    reference: Reference, place: Place, size: tuple[int, int]
) -> tuple[Colour, npt.NDArray[np.bool_]]:
    """A reference frame warped to a patch, uint8 (h, w, 3), and where it shows background, bool (h, w)."""
    rows, columns = place
    from_patch = reference.homography @ np.array([[1, 0, columns.start], [0, 1, rows.start], [0, 0, 1.0]])
    extent, inverse = (columns.stop - columns.start, rows.stop - rows.start), cv2.WARP_INVERSE_MAP
    view = reference.view
    image = cv2.warpPerspective(view.frame.image, from_patch, extent, flags=cv2.INTER_LINEAR | inverse)
    shown = cv2.warpPerspective(view.background, from_patch, extent, flags=cv2.INTER_NEAREST | inverse)
    return _smoothed(image, size), _scaled(shown, size) > 0


def _match_exposure(there: Colour, here: Colour, both: npt.NDArray[np.bool_]) -> Colour:
    """A reference in this frame's exposure, by the median offset of what both show; uint8 (h, w, 3)."""
    if np.count_nonzero(both) < MIN_SAMPLES:
        return there
    change = np.median(here[both].astype(np.int16) - there[both], axis=0)
    levels = np.arange(256)[:, None] + np.rint(change)
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(there, table[None]), np.uint8)


def _tolerant_difference(here: Colour, there: Colour) -> Plane:
    """Largest channel difference to the most similar of nine places: registration is not exact."""
    height, width = here.shape[:2]
    wide = cv2.split(cv2.copyMakeBorder(there, 1, 1, 1, 1, cv2.BORDER_REPLICATE))
    planes = list(zip(cv2.split(here), wide, strict=True))
    least = np.full((height, width), UNSEEN - 1, np.uint8)
    for dy, dx in product(range(3), range(3)):
        parts = [cv2.absdiff(a, b[dy : dy + height, dx : dx + width]) for a, b in planes]
        cv2.min(least, cv2.max(cv2.max(parts[0], parts[1]), parts[2]), least)
    return least


def _smoothed(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> Colour:
    """A patch at the size of comparison, smoothed a little: uint8 (h, w, 3)."""
    scaled = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(scaled, (3, 3), 0), np.uint8)


def _scaled(plane: Plane, size: tuple[int, int]) -> Plane:
    """A mask at the size of comparison, uint8 (h, w)."""
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)

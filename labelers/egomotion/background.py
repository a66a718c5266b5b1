"""Background difference under a moving camera: a patch against registered reference frames.

Reference frames, registered to the frame's own view, show the background wherever they had no box. A pixel
that looks like none of the backgrounds seen there is foreground. Nothing has to be learnt, and what stands
still in the world is never in front of itself: it is unknown, for its boxes always cover the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.egomotion.camera import Matrix
from spotlabel.labelers.egomotion.corners import Plane
from spotlabel.labelers.egomotion.sheet import Patch, Sheet
from spotlabel.labelers.egomotion.window import View, Window

Colour = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
UNSEEN = 255
MIN_NOISE = 1.5
"""Noise of any camera at least, grey levels."""
MIN_SAMPLES = 50
"""Fewer background pixels tell neither the noise around a box nor the exposure gain."""
MOST_SAMPLES = 1_000
"""About so many, evenly spread, tell the exposure gain."""


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
    motions = [(index, window.motion_to(index)) for index in reference_indices(window, reach)]
    return [Reference(window.views[index], motion.homography) for index, motion in motions if motion.known]


def reference_indices(window: Window, reach: int) -> list[int]:
    """Where in a window the frames of :func:`reference_frames` are, whether motion is known or not."""
    distances = sorted({max(1, round(reach * share)) for share in (1 / 6, 1 / 3, 2 / 3, 1)})
    indices = [window.middle + sign * distance for distance, sign in product(distances, (-1, 1))]
    return [index for index in indices if 0 <= index < len(window.views)]


def background_differences(
    view: View,
    patches: Sequence[Patch],
    references: Sequence[Reference],
    distant: Sequence[Reference] = (),
) -> list[BackgroundDifference]:
    """Compare patches of a frame with the background behind them.

    Args:
        view: the frame.
        patches: where, and how finely.
        references: from :func:`reference_frames`; none leave everything unseen.
        distant: further ones. The further away a frame the less exactly it is registered, so these are looked
            at where none of the others shows the background.
    """
    if not patches:
        return []
    sheet = Sheet(patches)
    here = _smoothed(sheet.filled_by(view, np.eye(3)))
    background = sheet.background(view, np.eye(3))
    difference, seen = np.full(sheet.shape, UNSEEN, np.uint8), np.zeros(sheet.shape, np.bool_)
    for group in (references, distant):
        unseen = ~seen
        for reference in group:
            told = sheet.background(reference.view, reference.homography)
            shown = told & unseen
            if not shown.any():
                continue
            there = _smoothed(sheet.filled_by(reference.view, reference.homography))
            for slot in sheet.wide_slots:
                there[slot] = _match_exposure(there[slot], here[slot], told[slot] & background[slot])
            unlike = _tolerant_difference(here, there)
            difference = np.where(shown, np.minimum(difference, unlike), difference)
            seen |= shown
    return [_taken(difference[slot], seen[slot], background[slot]) for slot in sheet.slots]


def _taken(difference: Plane, seen: Bool, background: Bool) -> BackgroundDifference:
    """What a sheet says of a patch."""
    outside = difference[seen & background]
    noise = float(np.median(outside)) if len(outside) >= MIN_SAMPLES else 0.0
    return BackgroundDifference(cv2.medianBlur(difference, 5), seen, max(noise, MIN_NOISE))


def _match_exposure(there: Colour, here: Colour, both: Bool) -> Colour:
    """A reference in this frame's exposure, by the median offset of what both show; uint8 (h, w, 3)."""
    samples = np.flatnonzero(both)
    if len(samples) < MIN_SAMPLES:
        return there
    samples = samples[:: len(samples) // MOST_SAMPLES + 1]
    now, then = (np.take(image.reshape(-1, 3), samples, 0).astype(np.int16) for image in (here, there))
    change = np.sort(now - then, axis=0)[len(samples) // 2]
    return np.asarray(cv2.add(there, (*change.tolist(), 0)), np.uint8) if change.any() else there


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


def _smoothed(image: Colour) -> Colour:
    """Smoothed a little, uint8 (h, w, 3)."""
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)

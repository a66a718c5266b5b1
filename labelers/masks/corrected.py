"""Corrections: what a person says of single boxes comes before what the rules made of them.

The mask of a frame and its owners are made as if nobody had corrected anything; then, inside the corrected
boxes and nowhere else:

1. Foreground that belongs to another box, which nobody corrected, stays.
2. All other pixels are background; or unknown, where they lie in an ignore region, in a box that leaves its
   pixels unknown, or in one of which the person says that nobody can tell.
3. The pixels that persons drew are foreground and belong to the box they were drawn for, whoever had them
   before, also in ignore regions and in frames of the warm-up. Where two such masks meet, the box whose lower
   edge is lower has the pixel (it stands nearer to the camera), of equal ones the first of the frame.

No other frame, no cue of a neighbour and no silhouette depends on a correction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import has_pixels, paint
from spotlabel.labelers.masks.owners.plane import NO_OWNER, OwnerPlane, Runs, contested_runs, owner_plane
from spotlabel.labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN, Plane, Rects

Bool = npt.NDArray[np.bool_]


class Decision(IntEnum):
    """What a person says of a box; 0 is a box of which nobody said anything."""

    MASK = 1
    """These pixels are the object's, and no others of the box."""
    UNKNOWN = 2
    """Nobody can tell which pixels of the box are the object's."""
    BACKGROUND = 3
    """Nothing of the object is to be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Vouched:
    """What a person says of one box.

    Attributes:
        decision: in one word.
        mask: uint8 (h, w), 1 where the object is, else 0; empty unless ``decision`` is ``MASK``.
        x: column of its first column in the image.
        y: row of its first row.
    """

    decision: Decision
    mask: Plane = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    x: int = 0
    y: int = 0

    def within(self, rect: list[int]) -> tuple[Plane, int, int]:
        """What of the mask lies in a rectangle ``x0, y0, x1, y1``: uint8 (h, w), and its place ``x, y``."""
        height, width = self.mask.shape
        left, top = max(self.x, rect[0]), max(self.y, rect[1])
        right, bottom = min(self.x + width, rect[2]), min(self.y + height, rect[3])
        right, bottom = max(left, right), max(top, bottom)
        return self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x], left, top


@dataclass(frozen=True, slots=True)
class FrameRules:
    """What the rules made of a frame with N boxes.

    Attributes:
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        rects: int64 (N, 4), pixels of the boxes.
        claims: bool (N,), the box claims the foreground inside it.
        runs: owners of contested foreground; None if nobody asked whose it is.
        left_unknown: bool (N,), boxes that make their pixels unknown.
        regions: int64 (M, 4), pixels that are unknown in any case.
    """

    mask: Plane
    rects: Rects
    claims: Bool
    runs: Runs | None
    left_unknown: Bool
    regions: Rects


def correct(made: FrameRules, said: Mapping[int, Vouched]) -> tuple[Plane, Bool, Runs | None]:
    """A frame with what persons say of some of its boxes.

    Args:
        made: the frame by the rules; left as it is.
        said: by row of the box among those of the frame.

    Returns:
        The mask, uint8 (H, W); which boxes claim the foreground inside them, bool (N,); and owners as runs,
        if there were some before.

    Raises:
        ValueError: ``made`` does not fit together.
    """
    rects, corrected = made.rects, np.zeros(len(made.rects), np.bool_)
    corrected[list(said)] = True
    place = np.zeros(made.mask.shape, np.uint8)
    paint(place, rects[corrected], 1)
    mask, owners = made.mask.copy(), _owners(made)
    changed = place.view(np.bool_) & ~_others(made, owners, corrected)
    mask[changed], owners[changed] = _undrawn(made, said, corrected)[changed], NO_OWNER
    claims = made.claims & ~corrected
    for row in sorted(said, key=lambda row: (rects[row, 3], -row)):
        drawn, x, y = said[row].within(rects[row].tolist())
        part = np.s_[y : y + drawn.shape[0], x : x + drawn.shape[1]]
        mask[part][drawn > 0] = FOREGROUND
        owners[part][drawn > 0] = min(row, NO_OWNER)
        claims[row] = said[row].decision == Decision.MASK and has_pixels(rects[row : row + 1])[0]
    return mask, claims, None if made.runs is None else contested_runs(mask, rects, claims, owners)


def fill_of(vouched: Vouched, rect: list[int]) -> float:
    """Share of a box's pixels that a person drew, 0 to 1."""
    area = max(rect[2] - rect[0], 0) * max(rect[3] - rect[1], 0)
    return int(np.count_nonzero(vouched.within(rect)[0])) / area if area else 0.0


def _owners(made: FrameRules) -> OwnerPlane:
    """Whose each foreground pixel is; nobody's where nobody asked."""
    if made.runs is None:
        return np.full(made.mask.shape, NO_OWNER, np.uint16)
    return owner_plane(made.mask, made.rects, made.claims, made.runs)


def _others(made: FrameRules, owners: OwnerPlane, corrected: Bool) -> Bool:
    """Foreground of boxes that nobody corrected: bool (H, W). Without owners all that lies in such a box."""
    if made.runs is not None:
        free = np.zeros(NO_OWNER + 1, np.bool_)
        free[:NO_OWNER][: len(corrected)] = ~corrected[:NO_OWNER]
        theirs: Bool = free[owners]
        return theirs
    held = np.zeros(made.mask.shape, np.uint8)
    paint(held, made.rects[made.claims & ~corrected], 1)
    inside: Bool = held.view(np.bool_) & (made.mask == FOREGROUND)
    return inside


def _undrawn(made: FrameRules, said: Mapping[int, Vouched], corrected: Bool) -> Plane:
    """What pixels of corrected boxes are where nobody drew: uint8 (H, W), background or unknown."""
    plane = np.full(made.mask.shape, BACKGROUND, np.uint8)
    paint(plane, made.rects[made.left_unknown & ~corrected], UNKNOWN)
    paint(plane, made.regions, UNKNOWN)
    unknown = [row for row, vouched in said.items() if vouched.decision == Decision.UNKNOWN]
    paint(plane, made.rects[unknown], UNKNOWN)
    return plane

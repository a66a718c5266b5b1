"""Patches of a frame side by side in one image, so that what is done to all of them is done once.

Arrays of a few thousand pixels take longer to call for than to work on. Around each patch lies as much of its
frame as neighbourhoods of :data:`MARGIN` px see, so that no patch sees another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.egomotion.camera import Matrix, in_front
from spotlabel.labelers.egomotion.residual import Place
from spotlabel.labelers.egomotion.window import View

MARGIN = 2
"""px around each patch: one for smoothing, one for what is compared with its neighbours."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a frame and how finely it is looked at.

    Attributes:
        place: rows and columns of the frame.
        size: height and width to which it is scaled, px; at most those of ``place``.
    """

    place: Place
    size: tuple[int, int]

    @property
    def coarseness(self) -> float:
        """How many px of the frame one of the patch spans, across."""
        return float((self.place[1].stop - self.place[1].start) / self.size[1])

    @property
    def to_frame(self) -> Matrix:
        """From px of the patch with its margin to px of the frame, float64 (3, 3)."""
        rows, columns = self.place
        y, x = (rows.stop - rows.start) / self.size[0], self.coarseness
        left, top = columns.start + x * (0.5 - MARGIN) - 0.5, rows.start + y * (0.5 - MARGIN) - 0.5
        return np.array([[x, 0, left], [0, y, top], [0, 0, 1]])


class Sheet:
    """Patches side by side in rows.

    Attributes:
        shape: height and width of the sheet.
        slots: where each patch lies on it, without its margin.
        wide_slots: where it lies with its margin.
    """

    def __init__(self, patches: Sequence[Patch]) -> None:
        self._patches = patches
        sizes = [patch.size for patch in patches]
        self.shape, corners = _packed(sizes)
        self.slots, self.wide_slots = (
            [
                np.s_[
                    top + MARGIN - m : top + MARGIN + height + m,
                    left + MARGIN - m : left + MARGIN + width + m,
                ]
                for (top, left), (height, width) in zip(corners, sizes, strict=True)
            ]
            for m in (0, MARGIN)
        )
        self._to_frame = [patch.to_frame for patch in patches]

    def filled_by(self, view: View, homography: Matrix) -> npt.NDArray[np.uint8]:
        """The patches of a frame, uint8 (H, W, 3), from the coarsest of its levels finer than each patch.

        Args:
            view: the frame.
            homography: from the frame that the patches are of to it.
        """
        sheet = np.zeros((*self.shape, 3), np.uint8)
        levels = [view.level_for(patch.coarseness) for patch in self._patches]
        images = [(view.levels[level], view.to_level(level) @ homography) for level in levels]
        self._warp(sheet, images, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        return sheet

    def background(self, view: View, homography: Matrix) -> npt.NDArray[np.bool_]:
        """Where the patches show a frame's background, bool (H, W); false where they leave the frame."""
        sheet = np.zeros(self.shape, np.uint8)
        images = [(view.background, homography)] * len(self._patches)
        self._warp(sheet, images, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
        for to_frame, slot in zip(self._to_frame, self.wide_slots, strict=True):
            if not in_front(homography @ to_frame, sheet[slot].shape):
                sheet[slot] = 0
        return np.asarray(sheet > 0, np.bool_)

    def _warp(
        self,
        sheet: npt.NDArray[np.uint8],
        images: Sequence[tuple[npt.NDArray[np.uint8], Matrix]],
        interpolation: int,
        border: int,
    ) -> None:
        """Fill every patch from an image, by the homography from the frame to it."""
        flags = interpolation | cv2.WARP_INVERSE_MAP
        for (image, homography), to_frame, slot in zip(images, self._to_frame, self.wide_slots, strict=True):
            height, width = sheet[slot].shape[:2]
            sheet[slot] = cv2.warpPerspective(
                image, homography @ to_frame, (width, height), flags=flags, borderMode=border
            )


def _packed(sizes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Height and width of a sheet, and the top left corner of each patch with its margin: rows by height."""
    sides = [(height + 2 * MARGIN, width + 2 * MARGIN) for height, width in sizes]
    wide = max(*(width for _, width in sides), int(sum(height * width for height, width in sides) ** 0.5))
    corners, top, left, high = [(0, 0)] * len(sides), 0, 0, 0
    for number in sorted(range(len(sides)), key=lambda number: sides[number], reverse=True):
        height, width = sides[number]
        if left + width > wide:
            top, left, high = top + high, 0, 0
        corners[number], left, high = (top, left), left + width, max(high, height)
    return (top + high, wide), corners

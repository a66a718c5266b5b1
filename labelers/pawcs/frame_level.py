"""Frame-level checks: sensitivity of the descriptors, change of the whole scene (TIP 2016, III-E)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import compiled, float32
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import HEAD, Words, tail_size, weight, word_high, word_low

_SCALE = 8
"""Frames are compared at 1/8 of their size."""


class Sensitivity:
    """The table of similarity thresholds, adapted to how much of the frame shows texture.

    Attributes:
        table: uint8 (256,), threshold for each reference value.
    """

    def __init__(self, table: npt.NDArray[np.uint8], ratio_min: float, ratio_max: float) -> None:
        self.table = table
        self._floor = np.rint(table.astype(np.float32) / 4).astype(np.uint8)
        self._ceiling = table[255]
        self._ratios = float32(ratio_min), float32(ratio_max)
        self._last = float32(0)

    def adapt(self, textured: float) -> None:
        """Take the share of non-flat pixels of a frame; two poor or rich ones in a row move the table."""
        share = float32(textured)
        low, high = self._ratios
        if share < low and self._last < low:
            self.table -= self.table > self._floor
        elif share > high and self._last > high:
            self.table += self.table < self._ceiling
        self._last = share


class SceneWatch:
    """Long- and short-term mean of the frames at 1/8 of their size.

    Args:
        height, width: of the frames.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size = max(width // _SCALE, 1), max(height // _SCALE, 1)
        shape = (self._size[1], self._size[0], 3)
        self._long = np.zeros(shape, np.float32)
        self._short = np.zeros(shape, np.float32)
        inside = np.zeros((height, width), np.uint8)
        inside[RIM:-RIM, RIM:-RIM] = 255
        self._inside = self._shrink(inside) == 255

    def _shrink(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA))

    def update(self, image: npt.NDArray[np.uint8], blend_long: float, blend_short: float) -> float:
        """Take in a frame; returns the mean L1 distance between the short- and the long-term mean."""
        small = self._shrink(image)
        cv2.accumulateWeighted(small, self._long, blend_long)
        cv2.accumulateWeighted(small, self._short, blend_short)
        return float(np.abs(self._long - self._short).sum() / self._inside.size)

    def distance_to(self, background: npt.NDArray[np.uint8]) -> tuple[float, float]:
        """Mean L1 distance and mean colour distortion between a background image and the long-term mean."""
        small = self._shrink(background).astype(np.float32)
        difference = np.abs(self._long - small).sum(axis=2)
        product = (self._long * small).sum(axis=2)
        norm = (small * small).sum(axis=2)
        square = (self._long * self._long).sum(axis=2) - product * product / np.maximum(norm, 1)
        distortion = np.sqrt(np.maximum(square, 0))
        count = self._inside.size
        return float(difference[self._inside].sum() / count), float(distortion[self._inside].sum() / count)


@compiled
def background_image(words: Words, clock: int, offset: int, out: npt.NDArray[np.uint8]) -> None:
    """Mean colour of each pixel's words, by weight, into ``out``, uint8 (H, W, 3); the rim stays black."""
    height, width = out.shape[:2]
    for y in range(RIM, height - RIM):
        for x in range(RIM, width - RIM):
            total = float32(0)
            sums = (float32(0), float32(0), float32(0))
            for index in range(HEAD + tail_size(words)):
                low = word_low(words, y * width + x, index)
                high = word_high(words, y * width + x, index)
                share = weight(high, clock, offset)
                total += share
                sums = (
                    sums[0] + float32((low >> 48) & 0xFF) * share,
                    sums[1] + float32((low >> 56) & 0xFF) * share,
                    sums[2] + float32(high & 0xFF) * share,
                )
            out[y, x, 0] = np.uint8(np.rint(sums[0] / total))
            out[y, x, 1] = np.uint8(np.rint(sums[1] / total))
            out[y, x, 2] = np.uint8(np.rint(sums[2] / total))

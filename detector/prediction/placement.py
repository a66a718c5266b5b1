"""How an image comes to the network's canvas at test time, and how what is found there comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.detector.data.stills.sample import scaled_size
from spotlabel.detector.data.views import View, letterbox_view, padded_view
from spotlabel.detector.geometry import Matrix

Image = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
_Pixels = TypeVar("_Pixels", Image, Float32)


@dataclass(frozen=True)
class Placement:
    """An image of ``size``, resized, then put on a canvas.

    Attributes:
        size: height and width of the image.
        resized: height and width after the resize.
        view: from the resized image to the canvas.
        cornered: the resized image lies in the canvas's left top, and the rest is padding that the network
            is told of; else it takes black borders for picture.
    """

    size: tuple[int, int]
    resized: tuple[int, int]
    view: View
    cornered: bool = False

    @classmethod
    def padded(cls, size: tuple[int, int], scale: float, multiple: int) -> Placement:
        """At ``scale`` times its own resolution in the middle of a black canvas, as CenterNet is tested.

        Args:
            size: height and width of the image.
            scale: test scale; sides are truncated to whole pixels, and are 1 at least.
            multiple: what the network's input must be a multiple of; a power of two.
        """
        resized = (max(1, int(size[0] * scale)), max(1, int(size[1] * scale)))
        return cls(size, resized, padded_view(resized, multiple))

    @classmethod
    def letterboxed(cls, size: tuple[int, int], canvas: tuple[int, int]) -> Placement:
        """The longer side filling the width of a fixed ``canvas`` (H, W), as in training."""
        return cls(size, size, letterbox_view(size, canvas))

    @classmethod
    def scaled(cls, size: tuple[int, int], sides: tuple[int, int], scale: float, multiple: int) -> Placement:
        """The shorter side at ``scale`` times the first of ``sides``, as in training on still pictures.

        Args:
            size: height and width of the image.
            sides: pixels of the shorter side, and most pixels of the longer one.
            scale: test scale.
            multiple: of the canvas's height and width.
        """
        resized = scaled_size(size, sides[0] * scale, sides[1] * scale)
        height, width = (-(-side // multiple) * multiple for side in resized)
        return cls(size, resized, View(np.eye(2, 3), False, (height, width)), cornered=True)

    @property
    def extent(self) -> tuple[int, int] | None:
        """Height and width of the canvas that hold picture; None if the network is told of no padding."""
        return self.resized if self.cornered else None

    @property
    def matrix(self) -> Matrix:
        """float64 (2, 3), from the image to the canvas; the resize is counted as it was really done."""
        ratios = [self.resized[1] / self.size[1], self.resized[0] / self.size[0], 1]
        matrix: Matrix = self.view.matrix * np.array(ratios)
        return matrix

    def put(self, image: Image) -> Image:
        """Image uint8 (H, W, 3) on the canvas, bilinear, black outside."""
        return self.view.warp(_resize(image, self.resized))

    def take(self, plane: Float32) -> Float32:
        """A plane of the canvas, float32, cropped to the image: (H, W)."""
        height, width = self.resized
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cropped = cv2.warpAffine(
            plane, self.view.matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return _resize(np.asarray(cropped, np.float32), self.size)


def _resize(image: _Pixels, size: tuple[int, int]) -> _Pixels:
    if image.shape[:2] == size:
        return image
    resized: _Pixels = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return resized

"""Which part of an image the network sees: crops, scales, flips (CenterNet's scheme, after CornerNet)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.detector.geometry import (
    Floats,
    Matrix,
    letterbox_matrix,
    padded_size,
    padding_matrix,
    transform_boxes,
)

Rng = np.random.RandomState
"""The older generator: its streams never change, and the published augmentation was drawn from it."""

ZOOMS = tuple(k / 10 for k in range(6, 14))
BORDER = 128
FLIP = 0.5


@dataclass(frozen=True)
class View:
    """A way to put an image on a canvas.

    Attributes:
        matrix: (2, 3), from the image (mirrored, if ``flip``) to the canvas.
        flip: mirror the image left to right first.
        canvas: height and width of the canvas.
        index_boxes: boxes are pixel indices, as in the published code, and mirror to W - 1 - x; pixel edges
            mirror to W - x.
    """

    matrix: Matrix
    flip: bool
    canvas: tuple[int, int]
    index_boxes: bool = False

    def warp(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Image uint8 (H, W) or (H, W, 3) on the canvas, bilinear, 0 outside."""
        source = cv2.flip(image, 1) if self.flip else image
        height, width = self.canvas
        warped: npt.NDArray[np.uint8] = cv2.warpAffine(
            source, self.matrix, (width, height), flags=cv2.INTER_LINEAR
        )
        return warped

    def boxes(self, boxes: Floats, width: int) -> npt.NDArray[np.float64]:
        """Boxes (N, 4) of an image ``width`` pixels wide, on the canvas, not clipped."""
        corners = np.array(boxes, np.float64).reshape(-1, 4)
        if self.flip:
            corners[:, [0, 2]] = width - int(self.index_boxes) - corners[:, [2, 0]]
        return transform_boxes(corners, self.matrix)


def rng_of(seed: int, epoch: int, index: int) -> Rng:
    """Random numbers of one sample: the same for any number of loader processes."""
    return Rng(np.random.MT19937(np.random.SeedSequence((seed, epoch, index))))


def letterbox_view(size: tuple[int, int], canvas: tuple[int, int]) -> View:
    """The whole image of ``size`` (H, W), its longer side filling the canvas's width."""
    height, width = size
    return View(letterbox_matrix((width / 2, height / 2), max(size), canvas), False, canvas)


def padded_view(size: tuple[int, int], multiple: int = 128) -> View:
    """The image of ``size`` (H, W) at its own scale in the middle of a padded canvas."""
    canvas = padded_size(*size, multiple)
    return View(padding_matrix(size, canvas), False, canvas)


def random_view(size: tuple[int, int], canvas: tuple[int, int], rng: Rng, extent: float = 1.0) -> View:
    """A random zoom around a random centre, mirrored half of the time: the published augmentation.

    Args:
        size: height and width of the image.
        canvas: height and width of the network's input.
        rng: draws zoom, centre x, centre y and flip, in this order.
        extent: share of the image's longer side that the canvas's width shows at zoom 1.

    Returns:
        With ``extent`` 1, the image's longer side fills 1/1.3 to 1/0.6 of the canvas's width; centres keep
        away from borders.
    """
    height, width = size
    shown = max(size) * extent * float(rng.choice(ZOOMS))
    x_border, y_border = border(width), border(height)
    x = int(rng.randint(x_border, width - x_border))
    y = int(rng.randint(y_border, height - y_border))
    return _mirrored_or_not((float(x), float(y)), shown, width, canvas, rng)


def jittered_view(size: tuple[int, int], canvas: tuple[int, int], rng: Rng) -> View:
    """The whole image, slightly moved and zoomed, mirrored half of the time: the milder augmentation."""
    height, width = size
    extent = float(max(size))
    x = width / 2 + extent * _clipped(rng.randn() * 0.1, -0.2, 0.2)
    y = height / 2 + extent * _clipped(rng.randn() * 0.1, -0.2, 0.2)
    zoom = _clipped(rng.randn() * 0.4 + 1, 0.6, 1.4)
    return _mirrored_or_not((x, y), extent * zoom, width, canvas, rng)


def border(size: int) -> int:
    """Distance in pixels that crop centres keep from the borders of a side of ``size`` pixels.

    128, halved until the two borders leave room between them.
    """
    distance = BORDER
    while size - distance <= distance and distance > 1:
        distance //= 2
    return distance


def _mirrored_or_not(
    centre: tuple[float, float], extent: float, width: int, canvas: tuple[int, int], rng: Rng
) -> View:
    x, y = centre
    flip = bool(rng.random_sample() < FLIP)
    x = width - x - 1 if flip else x
    return View(letterbox_matrix((x, y), extent, canvas), flip, canvas)


def _clipped(value: float, low: float, high: float) -> float:
    return float(min(max(value, low), high))

"""Differences of an image from its background, pixel by pixel, of which the cues are made; compiled.

Planes are one pixel larger than the patch on every side, where they continue as its outermost pixels, so that
the loops over 3x3 pixels need no case for the border. Colours of a row lie side by side: (H, 3 W).
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

SIGMA_STEPS = 4
"""Noise is kept as uint8 in quarters of a grey level."""
_QUARTER = np.float32(1 / SIGMA_STEPS)
_DARK = np.float32(6)
"""Added to both brightnesses, grey levels: ratios of dark pixels are noise."""
_ONE, _TWO = np.float32(1), np.float32(2)
_THIRD, _EIGHTH, _NINTH = np.float32(1 / 3), np.float32(1 / 8), np.float32(1 / 9)


class Planes(NamedTuple):
    """Work space, float32.

    Attributes:
        image: (H + 2, 3 W + 6), the image.
        background: (H + 2, 3 W + 6), its background in the image's exposure.
        grey: (H + 2, W + 2), mean of the image's channels.
        background_grey: (H + 2, W + 2), mean of the background's channels.
        deviation: (H + 2, W + 2), largest difference of a channel, in standard deviations.
        texture: (H + 2, W + 2), gradient beyond that of the background in this light, grey levels per px.
        ratio: (H, W), brightness over the background's.
        noise: (H, W), mean standard deviation of the background, less in the shade.
        colour: (H, W), largest difference of a channel from the background in this light, grey levels.
    """

    image: Float
    background: Float
    grey: Float
    background_grey: Float
    deviation: Float
    texture: Float
    ratio: Float
    noise: Float
    colour: Float


def compute_planes(image: UInt8, level: UInt8, sigma: UInt8, exposure: Float) -> Planes:
    """Planes of a patch that is not empty; arguments as of ``measure_cues``.

    They lie in memory that the thread's next call uses again.
    """
    height, width = image.shape[:2]
    image, level, sigma = (
        np.ascontiguousarray(plane).reshape(height, 3 * width) for plane in (image, level, sigma)
    )
    planes = _planes(height, width)
    _differ(image, level, sigma, np.ascontiguousarray(exposure), planes)
    _relight(planes)
    _texture(planes)
    return planes


_kept = threading.local()


def _planes(height: int, width: int) -> Planes:
    """Memory for the planes: fresh memory for every patch costs as much as the arithmetic."""
    wide, narrow = (height + 2, width + 2), (height, width)
    shapes = [(height + 2, 3 * width + 6)] * 2 + [wide] * 4 + [narrow] * 3
    ends = np.cumsum([0, *(rows * columns for rows, columns in shapes)])
    space: Float | None = getattr(_kept, "space", None)
    if space is None or len(space) < ends[-1]:
        space = _kept.space = np.empty(ends[-1], np.float32)
    return Planes(*(space[ends[k] : ends[k + 1]].reshape(shape) for k, shape in enumerate(shapes)))


@compiled
def _differ(image: UInt8, level: UInt8, sigma: UInt8, exposure: Float, planes: Planes) -> None:
    """Deviation in standard deviations, and what the other cues start from."""
    height, width = planes.ratio.shape
    for y in range(height):
        for x in range(width):
            most = grey = ground = noise = np.float32(0)
            for c in range(3):
                i = 3 * x + c
                here, there = np.float32(image[y, i]), exposure[level[y, i], c]
                spread = np.float32(sigma[y, i]) * _QUARTER
                planes.image[y + 1, i + 3] = here
                planes.background[y + 1, i + 3] = there
                most = max(most, abs(here - there) / spread)
                grey += here
                ground += there
                noise += spread
            planes.deviation[y + 1, x + 1] = most
            planes.grey[y + 1, x + 1] = grey * _THIRD
            planes.background_grey[y + 1, x + 1] = ground * _THIRD
            planes.noise[y, x] = noise * _THIRD
    _pad_border(planes.image, 3)
    _pad_border(planes.background, 3)
    _pad_border(planes.grey, 1)
    _pad_border(planes.background_grey, 1)
    _pad_border(planes.deviation, 1)


@compiled
def _relight(planes: Planes) -> None:
    """Brightness ratio, noise and colour in that light: of means over 3x3 pixels."""
    height, width = planes.ratio.shape
    near, far = np.empty(3 * width, np.float32), np.empty(3 * width, np.float32)
    column = np.empty(3 * width + 6, np.float32)
    for y in range(height):
        mean_rows(planes.image, y, 3, column, near)
        mean_rows(planes.background, y, 3, column, far)
        for x in range(width):
            i = 3 * x
            bright, dull = near[i] + near[i + 1] + near[i + 2], far[i] + far[i + 1] + far[i + 2]
            ratio = (bright * _THIRD + _DARK) / (dull * _THIRD + _DARK)
            planes.ratio[y, x] = ratio
            planes.noise[y, x] *= min(ratio, _ONE)
            most = np.float32(0)
            for c in range(3):
                most = max(most, abs(near[i + c] - ratio * far[i + c]))
            planes.colour[y, x] = most


@compiled
def _texture(planes: Planes) -> None:
    """Length of the difference of the gradients (Sobel) of image and background in this light."""
    height, width = planes.ratio.shape
    for y in range(height):
        for x in range(width):
            ratio = planes.ratio[y, x]
            across = _across(planes.grey, y, x) - ratio * _across(planes.background_grey, y, x)
            down = _down(planes.grey, y, x) - ratio * _down(planes.background_grey, y, x)
            planes.texture[y + 1, x + 1] = np.sqrt(across * across + down * down) * _EIGHTH
    _pad_border(planes.texture, 1)


@compiled
def _across(p: Float, y: int, x: int) -> Any:
    """Horizontal Sobel filter, eight times the gradient."""
    left, right = (
        p[y, x] + _TWO * p[y + 1, x] + p[y + 2, x],
        p[y, x + 2] + _TWO * p[y + 1, x + 2] + p[y + 2, x + 2],
    )
    return right - left


@compiled
def _down(p: Float, y: int, x: int) -> Any:
    """Vertical Sobel filter, eight times the gradient."""
    top, foot = (
        p[y, x] + _TWO * p[y, x + 1] + p[y, x + 2],
        p[y + 2, x] + _TWO * p[y + 2, x + 1] + p[y + 2, x + 2],
    )
    return foot - top


@compiled
def mean_rows(plane: Float, y: int, step: int, column: Float, mean: Float) -> None:
    """Means of 3x3 pixels ``step`` apart of the three rows from y: into (N,) by way of (N + 2 step,)."""
    for i in range(len(column)):
        column[i] = plane[y, i] + plane[y + 1, i] + plane[y + 2, i]
    for i in range(len(mean)):
        mean[i] = (column[i] + column[i + step] + column[i + 2 * step]) * _NINTH


@compiled
def _pad_border(plane: Float, step: int) -> None:
    """Give a plane's border, one pixel wide, the values of the pixels next to it."""
    height, width = plane.shape
    for y in range(1, height - 1):
        for c in range(step):
            plane[y, c] = plane[y, c + step]
            plane[y, width - step + c] = plane[y, width - 2 * step + c]
    for x in range(width):
        plane[0, x] = plane[1, x]
        plane[height - 1, x] = plane[height - 2, x]

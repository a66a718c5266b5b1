"""Differences of an image from its background, pixel by pixel, of which the cues are made; compiled.

Planes are flat, one pixel larger than the patch on every side, where they continue as its outermost pixels:
the pixels around one lie at the same distances everywhere, and there is no case for the border. So every loop
is over whole planes, and reads and writes few enough of them to become vector instructions. A plane of what
lies around each pixel starts with that of the patch's first pixel, and holds nothing of use between rows.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Channels = tuple[UInt8, UInt8, UInt8]
"""Padded and flat, uint8 ((H + 2) * (W + 2),) each."""
Three = tuple[Float, Float, Float]

SIGMA_STEPS = 4
"""Noise is kept as uint8 in quarters of a grey level."""
_QUARTER = np.float32(1 / SIGMA_STEPS)
_DARK = np.float32(6)
"""Added to both brightnesses, grey levels: ratios of dark pixels are noise."""
_ONE, _TWO, _BRIGHTEST = np.float32(1), np.float32(2), np.float32(255)
_THIRD, _EIGHTH, _NINTH = np.float32(1 / 3), np.float32(1 / 8), np.float32(1 / 9)
_SPARE = 10
"""Planes of work space beside those of the result."""


class Planes(NamedTuple):
    """Planes of a patch of H x W pixels, float32 ((H + 2) * (W + 2),) each.

    Pixel y, x is at y * (W + 2) + x; what lies after the W of a row says nothing.

    Attributes:
        deviation: largest difference of a channel, in standard deviations; padded: a row and a pixel further.
        mean_deviation: its mean over 3x3 pixels.
        mean_texture: gradient beyond that of the background in this light, grey levels per px, likewise.
        ratio: brightness over the background's.
        noise: mean standard deviation of the background, less in the shade.
        colour: largest difference of a channel from the background in this light, grey levels.
    """

    deviation: Float
    mean_deviation: Float
    mean_texture: Float
    ratio: Float
    noise: Float
    colour: Float


def compute_planes(image: UInt8, level: UInt8, sigma: UInt8, gain: Float) -> Planes:
    """Planes of a patch that is not empty; arguments as of ``measure_cues``.

    They lie in memory that the thread's next call uses again.
    """
    height, width = image.shape[:2]
    space = _space(_SPARE + len(Planes._fields), (height + 2) * (width + 2))
    planes = Planes(*space[_SPARE:])
    _compute(_padded(image), _padded(level), _padded(sigma), gain, width + 2, space[:_SPARE], planes)
    return planes


_kept = threading.local()


def _space(count: int, size: int) -> Float:
    """Memory for planes: fresh memory for every patch costs as much as the arithmetic."""
    space: Float | None = getattr(_kept, "space", None)
    if space is None or len(space) < count * size:
        space = _kept.space = np.empty(count * size, np.float32)
    return space[: count * size].reshape(count, size)


def _padded(image: UInt8) -> Channels:
    """The channels of an image, uint8 (H, W, 3)."""
    blue, green, red = cv2.split(cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE))
    return blue.reshape(-1), green.reshape(-1), red.reshape(-1)


@compiled
def _compute(  # noqa: PLR0917 - one call, all of its arrays
    image: Channels, level: Channels, sigma: Channels, gain: Float, row: int, spare: Float, planes: Planes
) -> None:
    """All planes of a patch whose padded rows hold so many pixels."""
    column, texture, bright, dull = spare[0], spare[1], spare[2], spare[3]
    near, far = (spare[4], spare[5], spare[6]), (spare[7], spare[8], spare[9])
    _largest_deviation(image, level, sigma, gain, planes.deviation)
    _mean3x3(planes.deviation, row, column, planes.mean_deviation)
    for c in range(3):
        _relit(image[c], np.float32(1), texture)
        _mean3x3(texture, row, column, near[c])
        _relit(level[c], gain[c], texture)
        _mean3x3(texture, row, column, far[c])
    _mean_channels(near, bright)
    _mean_channels(far, dull)
    _ratio(bright, dull, planes.ratio)
    _mean_noise(sigma, planes.ratio, row, planes.noise)
    planes.colour[:] = 0
    for c in range(3):
        _raise_colour(near[c], far[c], planes.ratio, planes.colour)
    _gradients(image, np.ones(3, np.float32), row, near, column)
    _gradients(level, gain, row, far, column)
    _texture(near, far, planes.ratio, texture[row + 1 :])
    _pad_border(texture.reshape(-1, row))
    _mean3x3(texture, row, column, planes.mean_texture)


@compiled
def _largest_deviation(
    image: Channels, level: Channels, sigma: Channels, gain: Float, deviation: Float
) -> None:
    """Largest difference of a channel, in standard deviations."""
    deviation[:] = 0
    for c in range(3):
        here, there, spread, light = image[c], level[c], sigma[c], gain[c]
        for i in range(len(deviation)):
            apart = abs(np.float32(here[i]) - min(np.float32(there[i]) * light, _BRIGHTEST))
            deviation[i] = max(deviation[i], apart / (np.float32(spread[i]) * _QUARTER))


@compiled
def _relit(channel: UInt8, light: Any, levels: Float) -> None:
    """A channel in another exposure."""
    for i in range(len(levels)):
        levels[i] = min(np.float32(channel[i]) * light, _BRIGHTEST)


@compiled
def _mean_channels(channels: Three, mean: Float) -> None:
    one, two, three = channels
    for i in range(len(mean)):
        mean[i] = (one[i] + two[i] + three[i]) * _THIRD


@compiled
def _ratio(bright: Float, dull: Float, ratio: Float) -> None:
    for i in range(len(ratio)):
        ratio[i] = (bright[i] + _DARK) / (dull[i] + _DARK)


@compiled
def _mean_noise(sigma: Channels, ratio: Float, row: int, noise: Float) -> None:
    """Mean standard deviation of the channels, less in the shade."""
    one, two, three = sigma[0][row + 1 :], sigma[1][row + 1 :], sigma[2][row + 1 :]
    for i in range(len(one)):
        total = np.float32(one[i]) * _QUARTER + np.float32(two[i]) * _QUARTER
        noise[i] = (total + np.float32(three[i]) * _QUARTER) * _THIRD * min(ratio[i], _ONE)


@compiled
def _raise_colour(near: Float, far: Float, ratio: Float, colour: Float) -> None:
    for i in range(len(colour)):
        colour[i] = max(colour[i], abs(near[i] - ratio[i] * far[i]))


@compiled
def _mean3x3(plane: Float, row: int, column: Float, mean: Float) -> None:
    """Means of 3x3 pixels, by way of the sums of columns."""
    middle, low = plane[row:], plane[2 * row :]
    for i in range(len(low)):
        column[i] = plane[i] + middle[i] + low[i]
    second, third = column[1:], column[2:]
    for i in range(len(third)):
        mean[i] = (column[i] + second[i] + third[i]) * _NINTH


@compiled
def _gradients(channels: Channels, gain: Float, row: int, into: Three, smooth: Float) -> None:
    """Gradient across and down of the mean of the channels (Sobel), eight times; the third is work space."""
    across, down, levels = into
    levels[:] = 0
    for c in range(3):
        channel, light = channels[c], gain[c]
        for i in range(len(levels)):
            levels[i] += min(np.float32(channel[i]) * light, _BRIGHTEST)
    for i in range(len(levels)):
        levels[i] *= _THIRD
    middle, low = levels[row:], levels[2 * row :]
    for i in range(len(low)):
        smooth[i] = levels[i] + _TWO * middle[i] + low[i]
    right = smooth[2:]
    for i in range(len(right)):
        across[i] = right[i] - smooth[i]
    middle, right = levels[1:], levels[2:]
    for i in range(len(right)):
        smooth[i] = levels[i] + _TWO * middle[i] + right[i]
    low = smooth[2 * row :]
    for i in range(len(low)):
        down[i] = low[i] - smooth[i]


@compiled
def _texture(near: Three, far: Three, ratio: Float, texture: Float) -> None:
    """Length of the difference of the gradients of image and background in this light."""
    across, down, behind_across, behind_down = near[0], near[1], far[0], far[1]
    for i in range(len(texture)):
        x, y = across[i] - ratio[i] * behind_across[i], down[i] - ratio[i] * behind_down[i]
        texture[i] = np.sqrt(x * x + y * y) * _EIGHTH


@compiled
def _pad_border(plane: Float) -> None:
    """Give a plane's border, one pixel wide, the values of the pixels next to it: (H + 2, W + 2)."""
    height, width = plane.shape
    for y in range(1, height - 1):
        plane[y, 0], plane[y, width - 1] = plane[y, 1], plane[y, width - 2]
    for x in range(width):
        plane[0, x], plane[height - 1, x] = plane[1, x], plane[height - 2, x]

"""What tells a pixel from its background: brightness, colour, texture, each measured against the noise."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

LIGHT_EDGES = np.linspace(-2.6, 1.2, 25).astype(np.float32)
"""Logarithm of the brightness over the background's."""
DEVIATION_EDGES = np.array([1, 2, 3, 4.5, 7, 12], np.float32)
"""Largest difference of a channel, in standard deviations."""
TEXTURE_EDGES = np.array([1.5, 3, 5, 8, 14], np.float32)
"""Gradient that the background under the same light does not have, in units of half the noise."""
COLOUR_EDGES = np.array([1, 2, 3.5, 6], np.float32)
"""Colour that the background under the same light does not have, in units of three quarters of the noise."""
SHAPE = tuple(len(edges) + 1 for edges in (LIGHT_EDGES, DEVIATION_EDGES, TEXTURE_EDGES, COLOUR_EDGES))
"""Bins of each cue."""
KINDS = int(np.prod(SHAPE))
"""Number of kinds of pixels."""
_FINENESS = 8
"""Steps per unit to which deviation, texture and colour are taken; the last edge must lie below 256 / 8."""
_DARK = 6.0
"""Added to both brightnesses, grey levels: ratios of dark pixels are noise."""


class Cues(NamedTuple):
    """Cues of a patch.

    Attributes:
        kind: int32 (H, W), 0 to ``KINDS - 1``: the bins of all four cues in one number.
        deviation: float32 (H, W), largest difference of a channel, in standard deviations.
    """

    kind: npt.NDArray[np.int32]
    deviation: Float


def cues(image: UInt8, background: Float, sigma: Float) -> Cues:
    """Compare a patch with its background.

    Args:
        image: uint8 (H, W, 3).
        background: float32 (H, W, 3), in the place and exposure of the image.
        sigma: float32 (H, W, 3), standard deviation of the background, > 0.
    """
    seen = image.astype(np.float32)
    deviation = _largest(np.abs(seen - background) / sigma)
    grey, ground = _mean(seen), _mean(background)
    near, near_ground = cv2.blur(grey, (3, 3)), cv2.blur(ground, (3, 3))
    light = (near + _DARK) / (near_ground + _DARK)
    noise = _mean(sigma) * np.minimum(light, 1)  # noise of what is in the shade shrinks with the light
    gx, gy = _gradient(grey)
    hx, hy = _gradient(ground)
    texture = cv2.blur(cv2.magnitude(gx - light * hx, gy - light * hy), (3, 3))
    colour = _largest(np.abs(cv2.blur(seen, (3, 3)) - light[..., None] * cv2.blur(background, (3, 3))))
    kind = _light_bins(light)
    for values, edges in (
        (cv2.blur(deviation, (3, 3)), DEVIATION_EDGES),
        (texture / (0.5 * noise + 1), TEXTURE_EDGES),
        (colour / (0.75 * noise + 1), COLOUR_EDGES),
    ):
        kind = kind * np.int32(len(edges) + 1) + _bins(values, edges)
    return Cues(kind, deviation)


def _bins(values: Float, edges: Float) -> npt.NDArray[np.int32]:
    """Number of edges at or below each value (0 or more), to an eighth: one look-up per pixel."""
    table = np.searchsorted(edges, np.arange(256) / _FINENESS, side="right").astype(np.uint8)
    found: npt.NDArray[np.uint8] = cv2.LUT(cv2.convertScaleAbs(values, alpha=_FINENESS), table)
    return found.astype(np.int32)


def _light_bins(light: Float) -> npt.NDArray[np.int32]:
    """The bin of a ratio among the even ``LIGHT_EDGES`` of its logarithm."""
    step = LIGHT_EDGES[1] - LIGHT_EDGES[0]
    bins = (cv2.log(light) - LIGHT_EDGES[0]) * (1 / step) + 1
    found: npt.NDArray[np.int32] = np.clip(bins, 0, len(LIGHT_EDGES)).astype(np.int32)
    return found


def _mean(planes: Float) -> Float:
    mean: Float = cv2.transform(planes, np.full((1, 3), 1 / 3, np.float32))
    return mean


def _largest(planes: Float) -> Float:
    first, second, third = cv2.split(planes)
    largest: Float = cv2.max(cv2.max(first, second), third)
    return largest


def _gradient(grey: Float) -> tuple[Float, Float]:
    """Derivatives in x and y, grey levels per px."""
    return (
        cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8),
    )

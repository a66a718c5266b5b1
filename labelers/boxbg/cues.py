"""What tells a pixel from its background: brightness, colour, texture, each measured against the noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.planes import Planes, mean_rows, measured

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Kinds = npt.NDArray[np.int32]

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
PLAIN_TEXTURE, PLAIN_COLOUR = 3, 3
"""Bins of texture and colour below these are plain: no more than the background in that light would have."""
_ROUGH, _TINTED = TEXTURE_EDGES[PLAIN_TEXTURE - 1], COLOUR_EDGES[PLAIN_COLOUR - 1]
_LIGHTEST, _LIGHT_STEPS = np.float32(4), np.float32(1024)
"""Ratios of brightness are looked up in steps of 1/1024 up to 4, which is beyond the last edge."""
_RATIOS = np.maximum(np.arange(int(_LIGHTEST * _LIGHT_STEPS) + 1), 1) / _LIGHT_STEPS
_LIGHT_BINS = np.searchsorted(LIGHT_EDGES, np.log(_RATIOS), side="right").astype(np.int32)
_HALF, _MOST, _ONE = np.float32(0.5), np.float32(0.75), np.float32(1)


class Cues(NamedTuple):
    """Cues of a patch.

    Attributes:
        kind: int32 (H, W), 0 to ``KINDS - 1``: the bins of all four cues in one number.
        deviation: float32 (H, W), largest difference of a channel, in standard deviations.
        light: float32 (H, W), brightness over the background's, of means over 3x3 pixels.
        plain: bool (H, W), without texture or colour of its own.
    """

    kind: Kinds
    deviation: Float
    light: Float
    plain: npt.NDArray[np.bool_]


def cues(image: UInt8, level: UInt8, sigma: UInt8, curve: Float) -> Cues:
    """Compare a patch with its background; kinds are of means over 3x3 pixels.

    Args:
        image: uint8 (H, W, 3).
        level: uint8 (H, W, 3), background in the place of the image.
        sigma: uint8 (H, W, 3), its standard deviation in quarters of a grey level, > 0.
        curve: float32 (256, 3), level in the image's exposure of each level of the background.
    """
    kind, plain = np.zeros(image.shape[:2], np.int32), np.zeros(image.shape[:2], np.bool_)
    if not kind.size:
        return Cues(kind, kind.astype(np.float32), np.ones(kind.shape, np.float32), plain)
    planes = measured(image, level, sigma, curve)
    _sort(planes, kind, plain)
    return Cues(kind, planes.deviation[1:-1, 1:-1].copy(), planes.light.copy(), plain)


@compiled
def _sort(planes: Planes, kind: Kinds, plain: npt.NDArray[np.bool_]) -> None:
    """The bins of each pixel: the number of edges at or below each value; and whether it is plain."""
    height, width = kind.shape
    column = np.empty(width + 2, np.float32)
    deviation, texture = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        mean_rows(planes.deviation, y, 1, column, deviation)
        mean_rows(planes.texture, y, 1, column, texture)
        for x in range(width):
            noise = planes.noise[y, x]
            rough = texture[x] / (_HALF * noise + _ONE)
            tint = planes.colour[y, x] / (_MOST * noise + _ONE)
            found = _LIGHT_BINS[np.int32(min(planes.light[y, x], _LIGHTEST) * _LIGHT_STEPS)] * (
                len(DEVIATION_EDGES) + 1
            )
            for k in range(len(DEVIATION_EDGES)):
                found += deviation[x] >= DEVIATION_EDGES[k]
            found *= len(TEXTURE_EDGES) + 1
            for k in range(len(TEXTURE_EDGES)):
                found += rough >= TEXTURE_EDGES[k]
            found *= len(COLOUR_EDGES) + 1
            for k in range(len(COLOUR_EDGES)):
                found += tint >= COLOUR_EDGES[k]
            kind[y, x] = found
            plain[y, x] = rough < _ROUGH and tint < _TINTED

"""Cues of a pixel against its background: brightness ratio, deviation, texture and colour, and their bins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.cue_planes import Planes, compute_planes

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Bins = npt.NDArray[np.int32]

RATIO_EDGES = np.linspace(-2.6, 1.2, 25).astype(np.float32)
"""Logarithm of the brightness ratio: a pixel's brightness over the background's."""
DEVIATION_EDGES = np.array([1, 2, 3, 4.5, 7, 12], np.float32)
"""Largest difference of a channel, in standard deviations."""
TEXTURE_EDGES = np.array([1.5, 3, 5, 8, 14], np.float32)
"""Gradient that the background in the same light does not have, in units of half the noise."""
COLOUR_EDGES = np.array([1, 2, 3.5, 6], np.float32)
"""Colour that the background in the same light does not have, in units of three quarters of the noise."""
BIN_SHAPE = tuple(len(edges) + 1 for edges in (RATIO_EDGES, DEVIATION_EDGES, TEXTURE_EDGES, COLOUR_EDGES))
"""Number of bins of each cue."""
BIN_COUNT = int(np.prod(BIN_SHAPE))
"""Number of joint bins."""
PLAIN_TEXTURE, PLAIN_COLOUR = 3, 3
"""Bins of texture and colour below these are plain: no more than the background in that light would have."""
_LARGEST_RATIO, _RATIO_STEPS = np.float32(4), np.float32(1024)
"""Ratios of brightness are looked up in steps of 1/1024 up to 4, which is beyond the last edge."""
_RATIOS = np.maximum(np.arange(int(_LARGEST_RATIO * _RATIO_STEPS) + 1), 1) / _RATIO_STEPS
_RATIO_BINS = np.searchsorted(RATIO_EDGES, np.log(_RATIOS), side="right").astype(np.int32)
_HALF, _THREE_QUARTERS, _ONE = np.float32(0.5), np.float32(0.75), np.float32(1)


class Cues(NamedTuple):
    """Cues of a patch.

    Attributes:
        bins: int32 (H, W), 0 to ``BIN_COUNT - 1``: its joint bin: the bins of all four cues in one number.
        deviation: float32 (H, W), largest difference of a channel, in standard deviations.
    """

    bins: Bins
    deviation: Float


def measure_cues(image: UInt8, level: UInt8, sigma: UInt8, gain: Float) -> Cues:
    """Compare a patch with its background; bins are of means over 3x3 pixels.

    Args:
        image: uint8 (H, W, 3).
        level: uint8 (H, W, 3), the background there.
        sigma: uint8 (H, W, 3), its standard deviation in quarters of a grey level, > 0.
        gain: float32 (3,), of the image's exposure over the background's.
    """
    height, width = image.shape[:2]
    bins = np.zeros((height, width), np.int32)
    if not bins.size:
        return Cues(bins, bins.astype(np.float32))
    planes = compute_planes(image, level, sigma, gain)
    _assign_bins(planes, bins)
    return Cues(bins, planes.deviation.reshape(height + 2, width + 2)[1:-1, 1:-1].copy())


@compiled
def _assign_bins(planes: Planes, bins: Bins) -> None:
    """The joint bin of each pixel, by the number of edges at or below each cue."""
    height, width = bins.shape
    row = width + 2
    for y in range(height):
        for x in range(width):
            i = y * row + x
            noise, deviation = planes.noise[i], planes.mean_deviation[i]
            rough = planes.mean_texture[i] / (_HALF * noise + _ONE)
            tint = planes.colour[i] / (_THREE_QUARTERS * noise + _ONE)
            index = _RATIO_BINS[np.int32(min(planes.ratio[i], _LARGEST_RATIO) * _RATIO_STEPS)] * (
                len(DEVIATION_EDGES) + 1
            )
            for k in range(len(DEVIATION_EDGES)):
                index += deviation >= DEVIATION_EDGES[k]
            index *= len(TEXTURE_EDGES) + 1
            for k in range(len(TEXTURE_EDGES)):
                index += rough >= TEXTURE_EDGES[k]
            index *= len(COLOUR_EDGES) + 1
            for k in range(len(COLOUR_EDGES)):
                index += tint >= COLOUR_EDGES[k]
            bins[y, x] = index

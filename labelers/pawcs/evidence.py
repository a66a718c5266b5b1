"""Distance evidence: by how much a pixel's thresholds would have to grow for it to be background.

Scaling both thresholds of a pixel by s makes those of its words match whose mix distance is at most s times
the colour limit and whose descriptor distance is at most s times the descriptor limit. The evidence is the
smallest s at which the matching words weigh enough, in steps of 1/128, saturating just below 2; so a pixel
without local consensus is one with s > 1. Below 1 it is that of the nearest words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import compiled, float32, inlined
from spotlabel.labelers.pawcs.lbsp import (
    colour_distortion,
    colour_l1,
    describe_patch,
    gather_patch,
    hamming,
    mix_distance,
)
from spotlabel.labelers.pawcs.model import (
    BITS_48,
    HEAD,
    Pixel,
    Tick,
    Words,
    tail_size,
    weight,
    word_high,
    word_low,
)
from spotlabel.labelers.pawcs.rows import Scratch

NEUTRAL = 128
"""Level of s = 1: foreground lies above."""
TOP = 255


@inlined
def background_level(pixel: Pixel, nearest_colour: int, nearest_descriptor: int) -> int:
    """Level of a pixel with local consensus: that of its nearest words, at most NEUTRAL."""
    return min(_level(pixel, nearest_colour, nearest_descriptor), NEUTRAL)


@inlined
def _level(pixel: Pixel, colour: int, descriptor: int) -> int:
    """ceil(128 s) for a word at these distances, at most TOP."""
    by_colour = (NEUTRAL * colour + pixel.colour_limit - 1) // pixel.colour_limit
    by_descriptor = (NEUTRAL * descriptor + pixel.descriptor_limit - 1) // pixel.descriptor_limit
    return min(max(by_colour, by_descriptor), TOP)


@compiled
def foreground_level(
    words: Words,
    pixel: Pixel,
    tick: Tick,
    planes: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    scratch: Scratch,
) -> int:
    """Level of a pixel without local consensus, NEUTRAL+1..TOP.

    Args:
        words: local words.
        pixel, tick: the current pixel and frame.
        planes: uint8 (3, H, W), the frame.
        table: similarity thresholds.
        scratch: ``patch`` and ``levels`` are written.
    """
    weights = scratch.levels
    weights[:] = 0
    gather_patch(planes, pixel.y, pixel.x, scratch.patch)
    for index in range(HEAD + tail_size(words)):
        low = word_low(words, pixel.number, index)
        high = word_high(words, pixel.number, index)
        c0, c1, c2 = (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF
        l1 = colour_l1(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2)
        intra = hamming(pixel.descriptor, low & BITS_48)
        if l1 // 2 >= 2 * pixel.colour_limit or intra // 2 >= 2 * pixel.descriptor_limit:
            continue
        mix = mix_distance(l1, colour_distortion(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2))
        if mix >= 2 * pixel.colour_limit:
            continue
        inter = hamming(describe_patch(scratch.patch, c0, c1, c2, table), low & BITS_48)
        level = max(_level(pixel, mix, (intra + inter) // 2), NEUTRAL + 1)
        weights[level] += weight(high, tick.clock, tick.weight_offset)
    total = float32(0)
    for level in range(NEUTRAL + 1, TOP):
        total += weights[level]
        if total >= pixel.needed:
            return level
    return TOP

"""Neighbour updates: a background pixel passes its appearance on to a neighbour's words (TIP 2016, III-C)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import float32, inlined, int64, population_count
from spotlabel.labelers.pawcs.lbsp import FLAT_BITS, colour_distortion, colour_l1, hamming, mix_distance
from spotlabel.labelers.pawcs.model import (
    BITS_48,
    HEAD,
    Maps,
    Pixel,
    Tick,
    Words,
    pack_high,
    pack_low,
    put_word,
    seen,
    tail_size,
    weight,
    word_high,
    word_low,
)
from spotlabel.labelers.pawcs.order import touch_word
from spotlabel.labelers.pawcs.rng import DRAW_NEAR, draw
from spotlabel.labelers.pawcs.words import FULL_WEIGHT


@inlined
def replace_last_word(words: Words, target: int, pixel: Pixel, tick: Tick) -> None:
    """The weakest word of ``target`` gives way to one with the appearance of ``pixel``."""
    index = HEAD + tail_size(words) - 1
    low = pack_low(pixel.descriptor, pixel.c0, pixel.c1)
    put_word(words, target, index, low, pack_high(pixel.c2, tick.clock, tick.clock, pixel.step))
    touch_word(words, target, index, tick)


@inlined
def spread(
    words: Words, maps: Maps, pixel: Pixel, y: int, x: int, tick: Tick, stream: npt.NDArray[np.uint32]
) -> None:
    """A background pixel strengthens its like among a neighbour's words, or becomes one (TIP 2016, III-C).

    Args:
        words, maps: the model; the neighbour's words are written.
        pixel: the pixel that spreads.
        y, x: the neighbour.
        tick: the current frame.
        stream: of the random numbers.
    """
    if maps.held[y, x] != 0:
        return
    target = y * maps.raw.shape[1] + x
    lenient = pixel.flat and maps.raw[y, x] == 0
    target_descriptor = maps.descriptor[y, x]
    count = HEAD + tail_size(words)
    total = float32(0)
    index = 0
    while index < count and total < pixel.needed:
        low = word_low(words, target, index)
        high = word_high(words, target, index)
        new_low, new_high = _spread_to_word(pixel, target_descriptor, low, high, index, lenient, tick, stream)
        if new_high != -1:
            word_weight = weight(high, tick.clock, tick.weight_offset)
            total += word_weight
            step = 2 * pixel.step if population_count(low & BITS_48) < FLAT_BITS else pixel.step
            new_high = seen(new_high, tick.clock, step if word_weight < FULL_WEIGHT else 0)
            put_word(words, target, index, new_low, new_high)
            touch_word(words, target, index, tick)
        index += 1
    if total < tick.newcomer_weight:
        replace_last_word(words, target, pixel, tick)


@inlined
def _spread_to_word(
    pixel: Pixel,
    target_descriptor: int,
    low: int,
    high: int,
    index: int,
    lenient: bool,
    tick: Tick,
    stream: npt.NDArray[np.uint32],
) -> tuple[int, int]:
    """The word to be strengthened: as it is, with the pixel's descriptor or with its colour; else -1."""
    c0, c1, c2 = (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF
    l1 = colour_l1(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2)
    intra = hamming(pixel.descriptor, low & BITS_48)
    if not lenient and (l1 // 2 > pixel.colour_limit or intra > pixel.descriptor_limit):
        return 0, -1
    distortion = colour_distortion(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2)
    fits = mix_distance(l1, distortion) <= pixel.colour_limit
    if fits and intra <= pixel.descriptor_limit:
        return low, high
    if not lenient:
        return 0, -1
    if (
        not tick.bootstrapping
        and draw(pixel.update_rate, stream, tick.key, pixel.number, DRAW_NEAR + index) != 0
    ):
        return 0, -1
    last = hamming(pixel.descriptor, target_descriptor)
    if fits and last <= pixel.descriptor_limit // 2:
        return pack_low(pixel.descriptor, c0, c1), high
    if (
        population_count(target_descriptor) < FLAT_BITS
        and last + intra <= pixel.descriptor_limit
        and distortion <= pixel.colour_limit // 4
    ):
        return pack_low(low & BITS_48, pixel.c0, pixel.c1), (high & ~int64(0xFF)) | pixel.c2
    return 0, -1

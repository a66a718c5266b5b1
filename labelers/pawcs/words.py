"""Local words: comparison with the current pixel (WACV 2015, section 3.2; TIP 2016, III-A)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import compiled, float32, inlined, int64, trailing_zeros, uint8, vectorised
from spotlabel.labelers.pawcs.lbsp import (
    DESCRIPTOR_BITS,
    MAX_COLOUR_DISTANCE,
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
    Bytes,
    Longs,
    Maps,
    Pixel,
    Tick,
    Words,
    pack_low,
    put_word,
    seen,
    tail_size,
    weight,
)
from spotlabel.labelers.pawcs.order import (
    order_head,
    order_step,
    order_tail,
    order_whole_tail,
    tail_in_order,
    touch_word,
    weigh_tail,
)
from spotlabel.labelers.pawcs.rng import draw
from spotlabel.labelers.pawcs.rows import Scratch

HEAVIEST = float32(np.finfo(np.float32).max)
FULL_WEIGHT = float32(1)
"""A word that weighs as much counts no further occurrences."""

LIT = 4
"""Beside an illumination counter: it was not 0 when its pixel's turn came."""
NO_MATCH = 255
"""Descriptor distance of a word that does not match."""


@inlined
def scan_words(
    words: Words,
    maps: Maps,
    pixel: Pixel,
    tick: Tick,
    planes: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    scratch: Scratch,
    index: int,
    hopeful: int,
    stream: npt.NDArray[np.uint32],
) -> tuple[float, int, int]:
    """Compare a pixel with its words, best first, until enough weight agrees (WACV 2015, section 3.2).

    Matching words are renewed, words that differ by illumination may take the pixel's appearance, and one
    ordering pass by weight goes over the list.

    Args:
        words, maps: the model; words of this pixel and illumination counters are written.
        pixel: the current pixel.
        tick: the current frame.
        planes: uint8 (3, H, W), the frame.
        table: similarity thresholds.
        scratch: ``weights`` are those of the head; ``patch`` and ``tail`` are written.
        index: 1 if the best word is known not to match, else 0.
        hopeful: of :func:`hopeful_head`.
        stream: of the random numbers.

    Returns:
        Sum of matching weights (float32), smallest mix distance and smallest descriptor distance of a match
        (765 and 48 without one).
    """
    total = float32(0)
    nearest_colour, nearest_descriptor = MAX_COLOUR_DISTANCE, DESCRIPTOR_BITS
    last_weight = scratch.weights[0, pixel.x] if index > 0 else HEAVIEST
    gather_patch(planes, pixel.y, pixel.x, scratch.patch)
    while index < HEAD and total < pixel.needed:
        low, high = words.head[pixel.number, 2 * index], words.head[pixel.number, 2 * index + 1]
        word_weight = scratch.weights[index, pixel.x]
        if hopeful >> index & 1 != 0:
            low, high, mix, distance = compare_word(
                maps, pixel, tick, table, scratch.patch, index, low, high, word_weight, stream
            )
            if distance != NO_MATCH:
                total += word_weight
                nearest_colour = min(nearest_colour, mix)
                nearest_descriptor = min(nearest_descriptor, distance)
            put_word(words, pixel.number, index, low, high)
        last_weight = order_step(words, pixel.number, index, low, high, word_weight, last_weight)
        index += 1
    last_weight = order_head(words, pixel.number, index, scratch.weights, pixel.x, last_weight)
    if total >= pixel.needed:
        order_tail(words, pixel.number, tick, scratch.tail, last_weight)
        return total, nearest_colour, nearest_descriptor
    return _scan_tail(
        words,
        maps,
        pixel,
        tick,
        table,
        scratch,
        last_weight,
        total,
        nearest_colour,
        nearest_descriptor,
        stream,
    )


@compiled
def _scan_tail(
    words: Words,
    maps: Maps,
    pixel: Pixel,
    tick: Tick,
    table: npt.NDArray[np.uint8],
    scratch: Scratch,
    last_weight: float,
    total: float,
    nearest_colour: int,
    nearest_descriptor: int,
    stream: npt.NDArray[np.uint32],
) -> tuple[float, int, int]:
    """Go on with :func:`scan_words` in the tail; ``last_weight`` and what follows are what the head gave."""
    size = tail_size(words)
    in_order = tail_in_order(words, pixel.number, tick, last_weight)
    lows, highs = words.tail[pixel.number, :size], words.tail[pixel.number, size:]
    if not in_order:
        weigh_tail(highs, tick.clock, tick.weight_offset, scratch.tail)
    candidates = _candidates(
        lows,
        highs,
        pixel.descriptor,
        pixel.c0,
        pixel.c1,
        pixel.c2,
        pixel.colour_limit,
        pixel.descriptor_limit,
    )
    while candidates != 0 and total < pixel.needed:
        place = trailing_zeros(candidates)
        candidates &= candidates - 1
        low, high = lows[place], highs[place]
        word_weight = weight(high, tick.clock, tick.weight_offset)
        new_low, new_high, mix, distance = compare_word(
            maps, pixel, tick, table, scratch.patch, HEAD + place, low, high, word_weight, stream
        )
        if distance != NO_MATCH:
            total += word_weight
            nearest_colour = min(nearest_colour, mix)
            nearest_descriptor = min(nearest_descriptor, distance)
        if new_low != low or new_high != high:
            put_word(words, pixel.number, HEAD + place, new_low, new_high)
            if in_order:
                touch_word(words, pixel.number, HEAD + place, tick)
    if not in_order:
        order_whole_tail(words, pixel.number, tick, scratch.tail, last_weight, 0)
    return total, nearest_colour, nearest_descriptor


@inlined
def hopeful_head(words: Words, pixel: Pixel) -> int:
    """Places of the head words that pass :func:`may_match`, as bits."""
    found = int64(0)
    for index in range(HEAD):
        low, high = words.head[pixel.number, 2 * index], words.head[pixel.number, 2 * index + 1]
        found |= int64(may_match(pixel, low, high)) << index
    return found


@inlined
def may_match(pixel: Pixel, low: int, high: int) -> bool:
    """Whether a word passes the cheap tests: bounds of its mix and descriptor distance."""
    l1 = colour_l1(pixel.c0, pixel.c1, pixel.c2, (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF)
    intra = hamming(pixel.descriptor, low & BITS_48)
    return (l1 // 2 <= pixel.colour_limit) & (intra // 2 <= pixel.descriptor_limit)


@vectorised
def _candidates(
    lows: Longs,
    highs: Longs,
    descriptor: int,
    c0: int,
    c1: int,
    c2: int,
    colour_limit: int,
    descriptor_limit: int,
) -> int:
    """Places of the words that pass :func:`may_match`, as bits."""
    found = int64(0)
    for place in range(lows.size):
        low = lows[place]
        l1 = colour_l1(c0, c1, c2, (low >> 48) & 0xFF, (low >> 56) & 0xFF, highs[place] & 0xFF)
        intra = hamming(descriptor, low & BITS_48)
        near = (l1 < 2 * colour_limit + 2) & (intra < 2 * descriptor_limit + 2)
        found |= int64(near) << place
    return found


@inlined
def compare_word(
    maps: Maps,
    pixel: Pixel,
    tick: Tick,
    table: npt.NDArray[np.uint8],
    patch: npt.NDArray[np.uint8],
    index: int,
    low: int,
    high: int,
    word_weight: float,
    stream: npt.NDArray[np.uint32],
) -> tuple[int, int, int, int]:
    """Compare a pixel with one of its words.

    Returns:
        The word, renewed if it matches and perhaps with the pixel's appearance; its mix distance; its
        descriptor distance, or NO_MATCH.
    """
    c0, c1, c2 = (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF
    l1 = colour_l1(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2)
    mix = mix_distance(l1, colour_distortion(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2))
    if mix > pixel.colour_limit:
        return low, high, mix, NO_MATCH
    intra = hamming(pixel.descriptor, low & BITS_48)
    distance = (intra + hamming(describe_patch(patch, c0, c1, c2, table), low & BITS_48)) // 2
    if (
        l1 >= pixel.colour_limit // 2
        and intra <= pixel.descriptor_limit // 2
        and _takes_illumination(maps, pixel, tick, index, stream)
    ):
        low = pack_low(pixel.descriptor, pixel.c0, pixel.c1)
        high = (high & ~int64(0xFF)) | pixel.c2
    if distance > pixel.descriptor_limit:
        return low, high, mix, NO_MATCH
    return low, seen(high, tick.clock, _count_step(maps, pixel, tick, word_weight)), mix, distance


@inlined
def _count_step(maps: Maps, pixel: Pixel, tick: Tick, word_weight: float) -> int:
    """What a match adds to a word's count: nothing in foreground, where held, or at full weight."""
    in_background = maps.last_mask[pixel.y, pixel.x] == 0 or tick.moving
    if in_background and word_weight < FULL_WEIGHT and maps.held[pixel.y, pixel.x] == 0:
        return pixel.step
    return 0


@inlined
def _takes_illumination(
    maps: Maps, pixel: Pixel, tick: Tick, index: int, stream: npt.NDArray[np.uint32]
) -> bool:
    """Whether a word takes the pixel's appearance; if so, marks the pixel and its horizontal neighbours."""
    y, x = pixel.y, pixel.x
    if (maps.unstable[y, x] != 0 and not pixel.flat) or maps.held[y, x] != 0:
        return False
    rate = pixel.update_rate // 2 + 1 if maps.illumination[y, x] & LIT != 0 else pixel.update_rate
    if draw(rate, stream, tick.key, pixel.number, index) != 0:
        return False
    width = maps.illumination.shape[1]
    maps.illumination[y, x - 1] = 1 if x > 2 else 0
    maps.illumination[y, x + 1] = LIT if x < width - 3 else 0
    maps.illumination[y, x] = LIT | 1
    return True


@vectorised
def light_row(illumination: Bytes) -> None:
    """Count down the illumination counters of a row; LIT keeps which were not 0."""
    for x in range(illumination.size):
        counter = illumination[x]
        illumination[x] = uint8(counter - 1 | LIT) if counter > 0 else uint8(0)


@vectorised
def settle_light(illumination: Bytes) -> None:
    """Drop LIT from the counters of a row."""
    for x in range(illumination.size):
        illumination[x] = uint8(illumination[x] & ~LIT)

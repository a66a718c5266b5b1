"""Refresh: the model's words rebuilt from one frame, at the start and when the scene changed as a whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.feedback import colour_limit, descriptor_limit
from spotlabel.labelers.pawcs.global_words import MAP_SCALE, fits_global, set_global
from spotlabel.labelers.pawcs.jit import compiled, float32, inlined, int64, population_count
from spotlabel.labelers.pawcs.lbsp import FLAT_BITS, RIM, colour_distortion, colour_l1, hamming, mix_distance
from spotlabel.labelers.pawcs.model import (
    BITS_48,
    HEAD,
    GlobalWords,
    Maps,
    Pixel,
    Words,
    occurrences,
    pack_high,
    pack_low,
    put_word,
    seen,
    tail_size,
    weight,
    word_high,
    word_low,
)
from spotlabel.labelers.pawcs.rng import draw
from spotlabel.labelers.pawcs.settings import Rules

_KERNEL = np.array([[2, 4, 6, 7, 6, 4, 2], [4, 8, 12, 14, 12, 8, 4], [6, 12, 21, 25, 21, 12, 6],
                    [7, 14, 25, 28, 25, 14, 7], [6, 12, 21, 25, 21, 12, 6], [4, 8, 12, 14, 12, 8, 4],
                    [2, 4, 6, 7, 6, 4, 2]], np.int64)  # fmt: skip
"""Sampling weights of the 7x7 neighbourhood, a Gaussian; sum 512."""
_SUM = 512
_SAMPLES = 98
_DRAW_SOURCE = 98
_DRAW_SHIFT = 162
_GLOBAL_PASSES = 2


def _sample_shifts() -> npt.NDArray[np.int64]:
    """(dx, dy) for each of the 512 draws, column by column."""
    shifts = [(x - 3, y - 3) for x in range(7) for y in range(7) for _ in range(_KERNEL[y, x])]
    return np.array(shifts, np.int64)


_SHIFTS = _sample_shifts()


class Refresh(NamedTuple):
    """What the local words of all pixels are rebuilt from.

    Attributes:
        planes: uint8 (3, H, W), the last frame.
        words, maps: the model.
        rules: parameters.
        clock: frame number as the words count it.
        offset: w0.
        base: occurrences of a new word.
        fresh: there are no words yet.
        forget: take all occurrences from the words that there are.
        key, stream: of the random numbers.
    """

    planes: npt.NDArray[np.uint8]
    words: Words
    maps: Maps
    rules: Rules
    clock: int
    offset: int
    base: int
    fresh: bool
    forget: bool
    key: np.uint64
    stream: npt.NDArray[np.uint32]


@compiled
def refresh_rows(start: int, stop: int, refresh: Refresh) -> None:
    """Fill the local words of rows start..stop-1, in the modelled area, from samples of the neighbourhood."""
    for y in range(start, stop):
        for x in range(RIM, refresh.planes.shape[2] - RIM):
            _refresh_pixel(refresh, y, x)


@inlined
def _refresh_pixel(refresh: Refresh, y: int, x: int) -> None:
    """Fill the local words of pixel (y, x)."""
    words, maps, rules = refresh.words, refresh.maps, refresh.rules
    height, width = refresh.planes.shape[1], refresh.planes.shape[2]
    count = HEAD + tail_size(words)
    index = y * width + x
    distance = maps.distance[y, x]
    near = colour_limit(rules, distance)
    alike = descriptor_limit(rules, distance, int64(maps.unstable[y, x]))
    if refresh.forget:
        _forget(words, index, count)
    used = 0 if refresh.fresh else count
    for sample in range(_SAMPLES):
        shift = _SHIFTS[draw(_SUM, refresh.stream, refresh.key, index, sample)]
        other_x = min(max(x + shift[0], RIM), width - RIM - 1)
        other_y = min(max(y + shift[1], RIM), height - RIM - 1)
        used = _add_sample(refresh, index, other_y, other_x, near, alike, used)
    _fill(refresh, index, used, near)
    words.sorted_until[index] = 0


@inlined
def _forget(words: Words, pixel: int, count: int) -> None:
    """Take all occurrences from a pixel's words."""
    for index in range(count):
        high = word_high(words, pixel, index) & 0x0000FFFFFFFFFFFF
        put_word(words, pixel, index, word_low(words, pixel, index), high)


@inlined
def _add_sample(refresh: Refresh, pixel: int, y: int, x: int, near: int, alike: int, used: int) -> int:
    """Let pixel (y, x) strengthen a matching word of another or become one, sorted in.

    Args:
        refresh: the words of ``pixel`` are written.
        pixel: row-major index of the pixel whose words they are.
        y, x: the sample.
        near, alike: limits on colour and descriptor distance.
        used: number of words before.

    Returns:
        The number of words.
    """
    planes, words, maps, clock = refresh.planes, refresh.words, refresh.maps, refresh.clock
    count = HEAD + tail_size(words)
    a0, a1, a2 = int64(planes[0, y, x]), int64(planes[1, y, x]), int64(planes[2, y, x])
    descriptor = maps.descriptor[y, x]
    index = 0
    while index < used:
        low = word_low(words, pixel, index)
        high = word_high(words, pixel, index)
        b0, b1, b2 = (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF
        l1 = colour_l1(a0, a1, a2, b0, b1, b2)
        if (
            l1 // 2 <= near
            and hamming(descriptor, low & BITS_48) <= alike
            and mix_distance(l1, colour_distortion(a0, a1, a2, b0, b1, b2)) <= near
        ):
            put_word(words, pixel, index, low, seen(high, clock, 1))
            break
        index += 1
    if index == used:
        index = min(used, count - 1)
        used = min(used + 1, count)
        put_word(words, pixel, index, pack_low(descriptor, a0, a1), pack_high(a2, clock, clock, refresh.base))
    _sort_in(words, pixel, index, clock, refresh.offset)
    return used


@inlined
def _sort_in(words: Words, pixel: int, index: int, clock: int, offset: int) -> None:
    """Move a word up past all lighter ones before it."""
    low = word_low(words, pixel, index)
    high = word_high(words, pixel, index)
    own = weight(high, clock, offset)
    while index > 0 and own > weight(word_high(words, pixel, index - 1), clock, offset):
        put_word(words, pixel, index, word_low(words, pixel, index - 1), word_high(words, pixel, index - 1))
        index -= 1
    put_word(words, pixel, index, low, high)


@inlined
def _fill(refresh: Refresh, pixel: int, used: int, near: int) -> None:
    """Fill empty places with copies of earlier words, all channels moved by the same amount."""
    words, clock, key, stream = refresh.words, refresh.clock, refresh.key, refresh.stream
    count = HEAD + tail_size(words)
    for index in range(used, count):
        source = draw(index, stream, key, pixel, _DRAW_SOURCE + index)
        shift = draw(near // 3 + 1, stream, key, pixel, _DRAW_SHIFT + index) - near // 6
        low = word_low(words, pixel, source)
        high = word_high(words, pixel, source)
        c0 = min(max(((low >> 48) & 0xFF) + shift, 0), 255)
        c1 = min(max(((low >> 56) & 0xFF) + shift, 0), 255)
        c2 = min(max((high & 0xFF) + shift, 0), 255)
        share = float32(count - index) / float32(count)
        times = max(int64(float32(occurrences(high)) * share), 1)
        put_word(words, pixel, index, pack_low(low & BITS_48, c0, c1), pack_high(c2, clock, clock, times))


@compiled
def refresh_globals(
    globals_: GlobalWords,
    words: Words,
    maps: Maps,
    rules: Rules,
    clock: int,
    offset: int,
    fresh: bool,
) -> None:
    """Seed the global words from the best local words of evenly spaced pixels, in two passes.

    Args:
        globals_: written.
        words, maps, rules: the model and its parameters.
        clock: frame number as the words count it.
        offset: w0.
        fresh: there are no global words yet.
    """
    height, width = maps.raw.shape
    count = globals_.totals.size
    used = 0 if fresh else count
    spacing = max(height * width // count, 1)
    for _ in range(_GLOBAL_PASSES):
        for y in range(RIM, height - RIM):
            for x in range(RIM, width - RIM):
                if (y * width + x) % spacing == 0:
                    used = _seed_global(globals_, words, maps, rules, y, x, clock, offset, used)
        spacing = max(spacing // 3, 1)


@inlined
def _seed_global(
    globals_: GlobalWords,
    words: Words,
    maps: Maps,
    rules: Rules,
    y: int,
    x: int,
    clock: int,
    offset: int,
    used: int,
) -> int:
    """Let a pixel's best word strengthen a global word or become one; returns the number of global words."""
    index = y * maps.raw.shape[1] + x
    low, high = words.head[index, 0], words.head[index, 1]
    distance = maps.distance[y, x]
    best = Pixel(
        index, x, y, low & BITS_48, (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF,
        population_count(low & BITS_48) < FLAT_BITS,
        colour_limit(rules, distance),
        descriptor_limit(rules, distance, int64(maps.unstable[y, x])),
        float32(0), 1, 1,
    )  # fmt: skip
    own = weight(high, clock, offset)
    count = globals_.totals.size
    place = 0
    while place < used and not fits_global(
        globals_.features[globals_.order[place]], best, population_count(best.descriptor)
    ):
        place += 1
    if place == used:
        place = min(used, count - 1)
        slot = globals_.order[place]
        used = min(used + 1, count)
        globals_.maps[slot] = 0
        set_global(globals_, slot, best)
    slot = globals_.order[place]
    cell = globals_.maps[slot, y // MAP_SCALE]
    if cell[x // MAP_SCALE] < own:
        globals_.totals[slot] += own
        cell[x // MAP_SCALE] += own
    while place > 0 and globals_.totals[slot] > globals_.totals[globals_.order[place - 1]]:
        globals_.order[place] = globals_.order[place - 1]
        globals_.order[place - 1] = slot
        place -= 1
    return used

"""Local words: comparison with the current pixel, order by weight, spreading to neighbours.

Weights fall with time in a way that is known in advance, so two words in order stay in order until a frame
that can be computed. ``Words.sorted_until`` holds the first such frame over the tail of a pixel's list, and
``Words.unsorted`` the range that is out of order already; outside of it the paper's ordering pass changes
nothing until that frame and is skipped. The skip is exact: rounding of weights can turn an order into a tie,
never reverse it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelers.pawcs.jit import compiled, float32, inlined, int64, population_count
from labelers.pawcs.lbsp import (
    DESCRIPTOR_BITS,
    FLAT_BITS,
    MAX_COLOUR_DISTANCE,
    colour_distortion,
    colour_l1,
    describe_patch,
    gather_patch,
    hamming,
    mix_distance,
)
from labelers.pawcs.model import (
    ALL_SORTED,
    BITS_48,
    HEAD,
    MAX_COUNT,
    Maps,
    Pixel,
    Tick,
    Words,
    age_at_zero,
    occurrences,
    pack_high,
    pack_low,
    put_word,
    seen,
    weight,
    word_high,
    word_low,
)
from labelers.pawcs.rng import DRAW_NEAR, draw

_HEAVIEST = float32(np.finfo(np.float32).max)
_FULL_WEIGHT = float32(1)
"""A word that weighs as much counts no further occurrences."""


@inlined
def scan_words(
    words: Words,
    maps: Maps,
    pixel: Pixel,
    tick: Tick,
    planes: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    patch: npt.NDArray[np.uint8],
    first_inter: int,
    stream: npt.NDArray[np.uint32],
) -> tuple[float, int, int]:
    """Compare a pixel with its words, best first, until enough weight agrees (WACV 2015, section 3.2).

    Matching words are renewed, words that differ by illumination may take the pixel's looks, and one ordering
    pass by weight goes over the list.

    Args:
        words, maps: the model; words of this pixel and illumination counters are written.
        pixel: the current pixel.
        tick: the current frame.
        planes: uint8 (3, H, W), the frame.
        table: similarity thresholds.
        patch: uint8 (48,), scratch.
        first_inter: descriptor of the frame against the first word's colour, or -1 to compute it here.
        stream: of the random numbers.

    Returns:
        Sum of matching weights (float32), smallest mix distance and smallest descriptor distance of a match
        (765 and 48 without one).
    """
    count = HEAD + words.tail.shape[1] // 2
    total = float32(0)
    nearest_colour = MAX_COLOUR_DISTANCE
    nearest_descriptor = DESCRIPTOR_BITS
    last_weight = _HEAVIEST
    patch_ready = False
    in_order = False
    index = 0
    while index < count and total < pixel.needed:
        low = word_low(words, pixel.number, index)
        high = word_high(words, pixel.number, index)
        if index == HEAD:
            in_order = _tail_in_order(words, pixel.number, tick, last_weight)
        word_weight = float32(0) if in_order else weight(high, tick.clock, tick.weight_offset)
        c0, c1, c2 = (low >> 48) & 0xFF, (low >> 56) & 0xFF, high & 0xFF
        l1 = colour_l1(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2)
        intra = hamming(pixel.descriptor, low & BITS_48)
        if l1 // 2 <= pixel.colour_limit and intra // 2 <= pixel.descriptor_limit:
            mix = mix_distance(l1, colour_distortion(pixel.c0, pixel.c1, pixel.c2, c0, c1, c2))
            if mix <= pixel.colour_limit:
                if index == 0 and first_inter >= 0:
                    inter = hamming(first_inter, low & BITS_48)
                else:
                    if not patch_ready:
                        gather_patch(planes, pixel.y, pixel.x, patch)
                        patch_ready = True
                    inter = hamming(describe_patch(patch, c0, c1, c2, table), low & BITS_48)
                old_low = low
                old_high = high
                if (
                    l1 >= pixel.colour_limit // 2
                    and intra <= pixel.descriptor_limit // 2
                    and _takes_illumination(maps, pixel, tick, index, stream)
                ):
                    low = pack_low(pixel.descriptor, pixel.c0, pixel.c1)
                    high = (high & ~int64(0xFF)) | pixel.c2
                distance = (intra + inter) // 2
                if distance <= pixel.descriptor_limit:
                    if in_order:
                        word_weight = weight(high, tick.clock, tick.weight_offset)
                    total += word_weight
                    high = seen(high, tick.clock, _count_step(maps, pixel, tick, word_weight))
                    nearest_colour = min(nearest_colour, mix)
                    nearest_descriptor = min(nearest_descriptor, distance)
                if low != old_low or high != old_high:
                    put_word(words, pixel.number, index, low, high)
                    if in_order:
                        touch_word(words, pixel.number, index, tick)
        if not in_order:
            last_weight = _order_step(words, pixel.number, index, low, high, word_weight, last_weight)
        index += 1
    _finish_order(words, pixel.number, index, count, tick, last_weight, in_order)
    return total, nearest_colour, nearest_descriptor


@inlined
def _count_step(maps: Maps, pixel: Pixel, tick: Tick, word_weight: float) -> int:
    """What a match adds to a word's count: nothing in foreground, where held, or at full weight."""
    in_background = maps.last_mask[pixel.y, pixel.x] == 0 or tick.moving
    if in_background and word_weight < _FULL_WEIGHT and maps.held[pixel.y, pixel.x] == 0:
        return pixel.step
    return 0


@inlined
def _takes_illumination(
    maps: Maps, pixel: Pixel, tick: Tick, index: int, stream: npt.NDArray[np.uint32]
) -> bool:
    """Whether a word takes the pixel's looks; if so, marks the pixel and its horizontal neighbours."""
    y, x = pixel.y, pixel.x
    if (maps.unstable[y, x] != 0 and not pixel.flat) or maps.held[y, x] != 0:
        return False
    rate = pixel.update_rate // 2 + 1 if maps.illumination[y, x] != 0 else pixel.update_rate
    if draw(rate, stream, tick.key, pixel.number, index) != 0:
        return False
    width = maps.illumination.shape[1]
    maps.illumination[y, x - 1] = 1 if x > 2 else 0
    maps.illumination[y, x + 1] = 1 if x < width - 3 else 0
    maps.illumination[y, x] = 2
    return True


@inlined
def _order_step(
    words: Words,
    pixel: int,
    index: int,
    low: int,
    high: int,
    word_weight: float,
    last_weight: float,
) -> float:
    """One step of the ordering pass: a word heavier than the one before it changes places with it."""
    if word_weight <= last_weight:
        return word_weight
    put_word(words, pixel, index, word_low(words, pixel, index - 1), word_high(words, pixel, index - 1))
    put_word(words, pixel, index - 1, low, high)
    return last_weight


@inlined
def _first_unsorted(words: Words, pixel: int, tick: Tick, last_weight: float) -> int:
    """First tail place that the ordering pass, coming with ``last_weight``, may change; ALL_SORTED if none.

    Only valid before ``sorted_until``.
    """
    if words.tail_weight[pixel] > last_weight:
        words.tail_weight[pixel] = weight(words.tail[pixel, 1], tick.clock, tick.weight_offset)
        if words.tail_weight[pixel] > last_weight:
            return HEAD
    return int64(words.unsorted[pixel, 0])


@inlined
def _tail_in_order(words: Words, pixel: int, tick: Tick, last_weight: float) -> bool:
    """Whether the ordering pass, having come to the tail with ``last_weight``, would change nothing there."""
    if tick.clock >= words.sorted_until[pixel]:
        return False
    return _first_unsorted(words, pixel, tick, last_weight) == ALL_SORTED


@inlined
def _finish_order(
    words: Words, pixel: int, index: int, count: int, tick: Tick, last_weight: float, in_order: bool
) -> None:
    """Take the ordering pass from ``index`` to the end of the list."""
    while index < HEAD:
        high = words.head[pixel, 2 * index + 1]
        word_weight = weight(high, tick.clock, tick.weight_offset)
        low = words.head[pixel, 2 * index]
        last_weight = _order_step(words, pixel, index, low, high, word_weight, last_weight)
        index += 1
    if in_order:
        return
    if index > HEAD:
        words.sorted_until[pixel] = 0  # the scan changed places anywhere before index
    if tick.clock >= words.sorted_until[pixel]:
        _order_tail(words, pixel, index, count, count, tick, last_weight)
        return
    first = _first_unsorted(words, pixel, tick, last_weight)
    if first != ALL_SORTED:
        last = max(first, int64(words.unsorted[pixel, 1]))
        if first > HEAD:
            last_weight = weight(word_high(words, pixel, first - 1), tick.clock, tick.weight_offset)
        _order_tail(words, pixel, first, last + 1, count, tick, last_weight)


@compiled
def _order_tail(
    words: Words, pixel: int, start: int, stop: int, count: int, tick: Tick, last_weight: float
) -> None:
    """Ordering pass over the tail from ``start``, at least to ``stop``, on while it changes something.

    Afterwards notes which places are still out of order and, for the others, how long they stay in order.
    """
    index = start
    while index < count:
        high = word_high(words, pixel, index)
        word_weight = weight(high, tick.clock, tick.weight_offset)
        if word_weight > last_weight:
            _order_step(words, pixel, index, word_low(words, pixel, index), high, word_weight, last_weight)
        elif index >= stop:
            break
        else:
            last_weight = word_weight
        index += 1
    until = int64(words.sorted_until[pixel])
    if tick.clock >= until:
        start, index, until = HEAD, count, MAX_COUNT
    first_unsorted, last_unsorted = ALL_SORTED, 0
    for place in range(max(start - 1, HEAD + 1), min(index + 1, count)):
        frame = _in_order_until(words, pixel, place, tick)
        if frame == 0:
            first_unsorted = min(first_unsorted, place)
            last_unsorted = place
        else:
            until = min(until, frame)
    words.unsorted[pixel, 0] = first_unsorted
    words.unsorted[pixel, 1] = last_unsorted
    words.sorted_until[pixel] = until
    words.tail_weight[pixel] = weight(words.tail[pixel, 1], tick.clock, tick.weight_offset)


@inlined
def _in_order_until(words: Words, pixel: int, index: int, tick: Tick) -> int:
    """First frame in which a tail word outweighs the one before it; 0 if in this one or the next."""
    before = word_high(words, pixel, index - 1)
    high = word_high(words, pixel, index)
    gain = occurrences(high) - occurrences(before)
    age_before = age_at_zero(before, tick.weight_offset)
    age = age_at_zero(high, tick.weight_offset)
    lead = occurrences(before) * age - occurrences(high) * age_before  # weights are equal at lead = 2 t gain
    if lead < 2 * tick.clock * gain or lead < 2 * (tick.clock + 1) * gain:
        return 0
    if gain <= 0:
        return MAX_COUNT
    frames = np.float64(lead) / np.float64(2 * gain) * (1 - 1e-12)
    return int64(min(np.floor(frames) + 1, np.float64(MAX_COUNT)))


@inlined
def touch_word(words: Words, pixel: int, index: int, tick: Tick) -> None:
    """Keep the record of order right after a tail word gained weight or the last word was replaced."""
    if index < HEAD:
        return
    if index == HEAD:
        now = weight(words.tail[pixel, 1], tick.clock, tick.weight_offset)
        words.tail_weight[pixel] = max(words.tail_weight[pixel], now)
        return
    frame = _in_order_until(words, pixel, index, tick)
    if frame == 0:
        words.unsorted[pixel, 0] = min(int64(words.unsorted[pixel, 0]), index)
        words.unsorted[pixel, 1] = max(int64(words.unsorted[pixel, 1]), index)
    else:
        words.sorted_until[pixel] = min(int64(words.sorted_until[pixel]), frame)


@inlined
def replace_last_word(words: Words, target: int, pixel: Pixel, tick: Tick) -> None:
    """The weakest word of ``target`` gives way to a word that looks like ``pixel``."""
    index = HEAD + words.tail.shape[1] // 2 - 1
    low = pack_low(pixel.descriptor, pixel.c0, pixel.c1)
    put_word(words, target, index, low, pack_high(pixel.c2, tick.clock, tick.clock, pixel.step))
    touch_word(words, target, index, tick)


@inlined
def spread(
    words: Words, maps: Maps, pixel: Pixel, target: int, tick: Tick, stream: npt.NDArray[np.uint32]
) -> None:
    """A background pixel strengthens its like among a neighbour's words, or becomes one (TIP 2016, III-C).

    Args:
        words, maps: the model; words of ``target`` are written.
        pixel: the pixel that spreads.
        target: row-major index of the neighbour.
        tick: the current frame.
        stream: of the random numbers.
    """
    width = maps.raw.shape[1]
    if maps.held[target // width, target % width] != 0:
        return
    lenient = pixel.flat and maps.raw[target // width, target % width] == 0
    target_descriptor = maps.descriptor[target // width, target % width]
    count = HEAD + words.tail.shape[1] // 2
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
            new_high = seen(new_high, tick.clock, step if word_weight < _FULL_WEIGHT else 0)
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

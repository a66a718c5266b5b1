"""Order of a pixel's local words by weight, and until which frame it is known to last.

Weights fall with time in a way that is known in advance, so two words in order stay in order until a frame
that can be computed. ``Words.sorted_until`` holds the first such frame over the tail of a pixel's list, and
``Words.unsorted`` the range that is out of order already; outside of it the paper's ordering pass changes
nothing until that frame and is skipped. The skip is exact: rounding of weights can turn an order into a tie,
never reverse it.
"""

from __future__ import annotations

import numpy as np

from spotlabel.labelers.pawcs.jit import compiled, inlined, int32, int64, vectorised
from spotlabel.labelers.pawcs.model import (
    ALL_SORTED,
    HEAD,
    MAX_COUNT,
    Floats,
    Longs,
    Tick,
    Words,
    age_at_zero,
    occurrences,
    put_word,
    tail_size,
    weight,
    word_high,
    word_low,
)

_LONG_RANGE = 2
"""Places to order from which on the vector instructions over the whole tail are the faster way."""
_ROUNDING = 1 - 1e-12
"""Factor on a computed frame so that rounding never makes it late."""


@inlined
def order_step(
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
    if weight(words.fifth[pixel], tick.clock, tick.weight_offset) > last_weight:
        return HEAD
    return int64(words.unsorted[pixel]) & 0xFF


@inlined
def tail_in_order(words: Words, pixel: int, tick: Tick, last_weight: float) -> bool:
    """Whether the ordering pass, having come to the tail with ``last_weight``, would change nothing there."""
    if tick.clock >= words.sorted_until[pixel]:
        return False
    return _first_unsorted(words, pixel, tick, last_weight) == ALL_SORTED


@inlined
def order_head(words: Words, pixel: int, index: int, weights: Floats, x: int, last_weight: float) -> float:
    """Ordering pass over the head from ``index`` on; returns the weight to compare the tail with."""
    while index < HEAD:
        low, high = words.head[pixel, 2 * index], words.head[pixel, 2 * index + 1]
        last_weight = order_step(words, pixel, index, low, high, weights[index, x], last_weight)
        index += 1
    return last_weight


@inlined
def order_tail(words: Words, pixel: int, tick: Tick, weights: Floats, last_weight: float) -> None:
    """Ordering pass over the tail, as far as it can change anything.

    Args:
        words: the model.
        pixel: row-major index.
        tick: the current frame.
        weights: float32 (N - HEAD,) at least, scratch.
        last_weight: what the head's pass leaves.
    """
    first, last = HEAD, HEAD + tail_size(words)
    if tick.clock < words.sorted_until[pixel]:
        first = _first_unsorted(words, pixel, tick, last_weight)
        if first == ALL_SORTED:
            return
        last = max(first, int64(words.unsorted[pixel]) >> 8)
    if last - first > _LONG_RANGE:
        start = max(first - HEAD - 1, 0) if tick.clock < words.sorted_until[pixel] else 0
        highs = words.tail[pixel, tail_size(words) + start :]
        weigh_tail(highs, tick.clock, tick.weight_offset, weights[start:])
        order_whole_tail(words, pixel, tick, weights, last_weight, start)
        return
    if first > HEAD:
        last_weight = weight(word_high(words, pixel, first - 1), tick.clock, tick.weight_offset)
    _order_range(words, pixel, first, last + 1, tick, last_weight)


@vectorised
def weigh_tail(highs: Longs, clock: int, offset: int, weights: Floats) -> None:
    """Weights of the tail words whose second halves are ``highs``, into ``weights``."""
    for index in range(highs.size):
        high = highs[index]
        age = int32(age_at_zero(high, offset) + 2 * clock)
        weights[index] = np.float32(int32(occurrences(high))) / np.float32(age)


@compiled
def order_whole_tail(
    words: Words, pixel: int, tick: Tick, weights: Floats, last_weight: float, start: int
) -> None:
    """Ordering pass over the tail by given weights; renews the record of how long the order lasts.

    Args:
        words: the model.
        pixel: row-major index.
        tick: the current frame.
        weights: float32 (N - HEAD,) at least, of the tail words from ``start`` on.
        last_weight: what the pass comes with, to the first tail word.
        start: place in the tail before which the record shows nothing to do and stays valid; 0 to renew all.
    """
    size = tail_size(words)
    if start > 0:
        last_weight = weights[start]
    for place in range(start, size):
        if weights[place] > last_weight:
            low, high = words.tail[pixel, place], words.tail[pixel, size + place]
            order_step(words, pixel, HEAD + place, low, high, weights[place], last_weight)
        else:
            last_weight = weights[place]
    begin = max(start - 1, 0)
    until, first, last = _certify(words.tail[pixel, size + begin :], tick.clock, tick.weight_offset)
    if start > 0:
        until = min(until, int64(words.sorted_until[pixel]))
    words.sorted_until[pixel] = until
    words.unsorted[pixel] = ALL_SORTED if first == ALL_SORTED else first + begin | (last + begin << 8)


@vectorised
def _certify(highs: Longs, clock: int, offset: int) -> tuple[int, int, int]:
    """``sorted_until`` and the ends of ``unsorted`` of a tail; as :func:`_in_order_until`, for all places."""
    until, first, last = MAX_COUNT, ALL_SORTED, 0
    for place in range(1, highs.size):
        before, high = highs[place - 1], highs[place]
        gain = occurrences(high) - occurrences(before)
        lead = occurrences(before) * age_at_zero(high, offset) - occurrences(high) * age_at_zero(
            before, offset
        )
        late = lead < max(2 * clock * gain, 2 * (clock + 1) * gain)
        frame = int64(np.float64(lead) / np.float64(2 * max(gain, 1)) * _ROUNDING) + 1
        frame = MAX_COUNT if late or gain <= 0 else min(frame, MAX_COUNT)
        until = min(until, frame)
        first = min(first, HEAD + place if late else ALL_SORTED)
        last = max(last, HEAD + place if late else 0)
    return until, first, last


@inlined
def _order_range(words: Words, pixel: int, start: int, stop: int, tick: Tick, last_weight: float) -> None:
    """Ordering pass over the tail from ``start``, at least to ``stop``, on while it changes something.

    Afterwards notes which places are still out of order and, for the others, how long they stay in order.
    """
    count = HEAD + tail_size(words)
    index = start
    while index < count:
        high = word_high(words, pixel, index)
        word_weight = weight(high, tick.clock, tick.weight_offset)
        if word_weight > last_weight:
            order_step(words, pixel, index, word_low(words, pixel, index), high, word_weight, last_weight)
        elif index >= stop:
            break
        else:
            last_weight = word_weight
        index += 1
    until = int64(words.sorted_until[pixel])
    first_unsorted, last_unsorted = ALL_SORTED, 0
    for place in range(max(start - 1, HEAD + 1), min(index + 1, count)):
        frame = _in_order_until(words, pixel, place, tick)
        if frame == 0:
            first_unsorted = min(first_unsorted, place)
            last_unsorted = place
        else:
            until = min(until, frame)
    words.unsorted[pixel] = first_unsorted | (last_unsorted << 8)
    words.sorted_until[pixel] = until


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
    frames = np.float64(lead) / np.float64(2 * gain) * _ROUNDING
    return int64(min(np.floor(frames) + 1, np.float64(MAX_COUNT)))


@inlined
def touch_word(words: Words, pixel: int, index: int, tick: Tick) -> None:
    """Keep the record of order right after a tail word gained weight or the last word was replaced."""
    if index <= HEAD:  # the first tail word is weighed in every frame
        return
    frame = _in_order_until(words, pixel, index, tick)
    if frame == 0:
        ends = int64(words.unsorted[pixel])
        words.unsorted[pixel] = min(ends & 0xFF, index) | (max(ends >> 8, index) << 8)
    else:
        words.sorted_until[pixel] = min(int64(words.sorted_until[pixel]), frame)

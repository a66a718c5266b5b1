"""The row-wise passes of PAWCS against the pixel-wise functions they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.labelers.pawcs.first_word import draw_row, mix_row
from spotlabel.labelers.pawcs.global_words import order_globals
from spotlabel.labelers.pawcs.lbsp import RIM, colour_distortion, colour_l1, mix_distance
from spotlabel.labelers.pawcs.model import (
    ALL_SORTED,
    CLOCK_LIMIT,
    HEAD,
    create_global_words,
    create_words,
    pack_high,
    put_word,
    weight,
)
from spotlabel.labelers.pawcs.order import order_whole_tail, weigh_tail
from spotlabel.labelers.pawcs.rng import DRAW_LEARN, DRAW_SPREAD, NO_STREAM, draw, frame_key
from spotlabel.labelers.pawcs.rows import REACH, SLOTS, slot_of
from tests.labelers.pawcs.test_pawcs_engine import PawcsEngine, PawcsSettings, Scene


def colours(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of colours: any, nearly parallel, equal, black; uint8 (3, count) each."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 256, (3, count))
    second = rng.integers(0, 256, (3, count))
    scaled = first * rng.uniform(0.3, 1.2, count) + rng.integers(-1, 2, (3, count))
    kind = rng.integers(0, 8, count)
    second = np.where(kind < 4, scaled, second)
    second = np.where(kind == 5, first, second)
    second = np.where(kind == 6, 0, second)
    return first.astype(np.uint8), np.clip(second, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_mix_distances_of_a_row_are_those_of_its_pixels(seed: int) -> None:
    first, second = colours(seed, 4000)
    l1, mix = np.zeros(4000, np.int32), np.zeros(4000, np.int32)
    mix_row(*first, *second, l1, mix)
    pairs = [tuple(int(value) for value in (*a, *b)) for a, b in zip(first.T, second.T, strict=True)]
    assert l1.tolist() == [colour_l1(*pair) for pair in pairs]
    assert mix.tolist() == [mix_distance(colour_l1(*pair), colour_distortion(*pair)) for pair in pairs]


def test_lots_of_a_row_are_those_of_its_pixels() -> None:
    rates = np.array([1, 1, 2, 3, 7, 50, 256] * 40, np.int32)
    learns, spreads = np.zeros(rates.size, np.uint8), np.zeros(rates.size, np.uint8)
    key = np.uint64(frame_key(3, 17, 1))
    draw_row(key, 1000, rates, learns, spreads)
    for lots, purpose in ((learns, DRAW_LEARN), (spreads, DRAW_SPREAD)):
        numbers = [draw(int(rate), NO_STREAM, key, 1000 + x, purpose) for x, rate in enumerate(rates)]
        assert lots.tolist() == [number == 0 for number in numbers]
    assert 80 <= learns.sum() < rates.size


def test_an_ordering_pass_moves_each_heavier_global_word_up_by_one_place() -> None:
    height, width, count, rng = 9, 11, 6, np.random.default_rng(2)
    words = create_global_words(height, width, count)
    words.maps[:] = rng.integers(0, 4, words.maps.shape) / 3  # many ties
    words.local_order[:] = rng.permuted(words.local_order, axis=1)
    expected = words.local_order.copy().reshape(height, width, count)
    for y in range(RIM, height - RIM):
        for x in range(RIM, width - RIM):
            own, weights = expected[y, x], words.maps[:, y // 2, x // 2]
            last = weights[own[0]]
            for place in range(1, count):
                if weights[own[place]] > last:
                    own[[place - 1, place]] = own[[place, place - 1]]
                else:
                    last = weights[own[place]]
    room = np.empty((width // 2, count), np.int32)
    for start, stop in ((RIM, 5), (5, height - RIM)):
        order_globals(words, start, stop, width, room)
    np.testing.assert_array_equal(words.local_order.reshape(height, width, count), expected)


@pytest.mark.parametrize(("height", "step"), [(64, 60), (64, 8), (21, 2), (540, 68), (33, 10)])
def test_rows_needed_together_have_slots_of_their_own(height: int, step: int) -> None:
    slots = [slot_of(y, height, step) for y in range(RIM, height - RIM)]
    bands = [(y - RIM) // step for y in range(RIM, height - RIM)]
    assert all(slot // SLOTS == band for slot, band in zip(slots, bands, strict=True))
    for place in range(len(slots)):
        near = slots[max(place - 2 * REACH, 0) : place + 1]
        assert len(set(near)) == len(near)
        edge = min(
            place - bands.index(bands[place]), len(bands) - 1 - bands[::-1].index(bands[place]) - place
        )
        if edge < 2 * REACH:  # kept until phase two
            assert slots.count(slots[place]) == 1


def test_the_record_of_order_is_true_and_one_pass_moves_a_heavy_word_up_by_one() -> None:
    words, size, rng = create_words(1, 50), 46, np.random.default_rng(4)
    counts = np.sort(rng.integers(5, 400, size))[::-1]
    for place, count in enumerate(counts):
        put_word(words, 0, HEAD + place, place, pack_high(0, 100 + place, 900, int(count)))
    put_word(words, 0, HEAD + 30, 30, pack_high(0, 100, 1000, 500))
    engine = PawcsEngine(Scene(frames=1).frames[0].image, PawcsSettings())
    engine._frame = engine._clock = 1000
    tick, weights = engine._tick(), np.zeros(64, np.float32)
    weigh_tail(words.tail[0, size:], 1000, 1000, weights)
    order_whole_tail(words, 0, tick, weights, np.float32(1e9), 0)
    assert words.tail[0, 28:32].tolist() == [28, 30, 29, 31]
    assert words.unsorted[0] & 0xFF == HEAD + 29
    until = int(words.sorted_until[0])
    assert 1000 < until <= CLOCK_LIMIT + 6000
    first, last = int(words.unsorted[0]) & 0xFF, int(words.unsorted[0]) >> 8
    for clock in range(1001, min(until, 1400)):
        now = [weight(int(high), clock, 1000) for high in words.tail[0, size:]]
        wrong = [HEAD + k for k in range(1, size) if now[k] > now[k - 1]]
        assert all(first <= place <= last for place in wrong)
    assert first != ALL_SORTED

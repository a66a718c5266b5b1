"""Descriptors, colour distances, random numbers and word weights of PAWCS, on literal cases."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.pawcs.lbsp import (
    NEIGHBOURS,
    UNRELATED,
    colour_distortion,
    describe_patch,
    describe_row,
    gather_patch,
    hamming,
    mix_distance,
    threshold_table,
)
from spotlabel.labelers.pawcs.model import MAX_COUNT, pack_high, seen, weight
from spotlabel.labelers.pawcs.postprocess import binary_median, clean, clean_level, median_size
from spotlabel.labelers.pawcs.rng import NO_STREAM, c_library_stream, draw, frame_key
from spotlabel.labelers.pawcs.rows import create_scratch

BYTE = st.integers(0, 255)


def descriptor_of(patch: np.ndarray, reference: tuple[int, int, int], table: np.ndarray) -> int:
    """By the definition, one neighbour at a time; patch is (5, 5, 3)."""
    bits = 0
    for channel in range(3):
        for k, (dy, dx) in enumerate(NEIGHBOURS):
            difference = abs(int(patch[2 + dy, 2 + dx, channel]) - reference[channel])
            bits |= int(difference > table[reference[channel]]) << (16 * channel + k)
    return bits


def test_threshold_table_rounds_a_third_of_the_value() -> None:
    table = threshold_table(0.333, 0)
    assert [int(table[value]) for value in (0, 1, 2, 30, 100, 255)] == [0, 0, 1, 10, 33, 85]


def test_a_uniform_patch_has_no_bits_and_a_bright_neighbour_sets_its_own() -> None:
    table = threshold_table(0.333, 0)
    planes = np.full((3, 5, 5), 90, np.uint8)
    patch = np.empty(48, np.uint8)
    gather_patch(planes, 2, 2, patch)
    assert describe_patch(patch, 90, 90, 90, table) == 0
    planes[1, 1, 1] = 121  # threshold of 90 is 30
    planes[2, 1, 1] = 120
    gather_patch(planes, 2, 2, patch)
    assert describe_patch(patch, 90, 90, 90, table) == 1 << (16 + NEIGHBOURS.index((-1, -1)))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_row_and_patch_descriptors_follow_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (5, 12, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    references = rng.integers(0, 256, (3, 12), dtype=np.uint8)
    table = threshold_table(0.333, 0)
    scratch = create_scratch(12)
    describe_row(planes, 2, references, table, scratch.bounds, scratch.bits, scratch.inter)
    patch = np.empty(48, np.uint8)
    for x in range(2, 10):
        reference = (int(references[0, x]), int(references[1, x]), int(references[2, x]))
        expected = descriptor_of(image[:, x - 2 : x + 3], reference, table)
        gather_patch(planes, 2, x, patch)
        assert int(scratch.inter[x]) == expected == describe_patch(patch, *reference, table)


def test_hamming_counts_differing_bits() -> None:
    assert hamming(0, (1 << 48) - 1) == 48
    assert hamming(0b1011, 0b0010) == 2


@pytest.mark.parametrize(
    ("colour", "reference", "distortion"),
    [
        ((10, 20, 30), (20, 40, 60), 0),  # parallel
        ((0, 0, 200), (0, 150, 0), 200),  # at right angles
        ((3, 4, 0), (0, 0, 0), 5),  # against black: its own length
        ((100, 100, 100), (100, 100, 0), 100),
        ((255, 0, 0), (255, 255, 0), 180),
    ],
)
def test_colour_distortion(
    colour: tuple[int, int, int], reference: tuple[int, int, int], distortion: int
) -> None:
    assert colour_distortion(*colour, *reference) == distortion


@settings(max_examples=200)
@given(st.tuples(BYTE, BYTE, BYTE), st.tuples(BYTE, BYTE, BYTE))
def test_colour_distortion_is_the_part_off_the_reference(
    colour: tuple[int, int, int], reference: tuple[int, int, int]
) -> None:
    distortion = colour_distortion(*colour, *reference)
    a, b = np.array(colour, float), np.array(reference, float)
    along = (a @ b) ** 2 / (b @ b) if b.any() else 0.0
    exact = np.sqrt(max(a @ a - along, 0.0))
    if distortion == UNRELATED:  # single precision made the square negative: parallel colours
        assert exact < 1
    else:
        assert exact - 1.1 <= distortion <= exact + 0.2


def test_mix_distance_takes_a_negative_square_as_no_distortion() -> None:
    assert mix_distance(7, 5) == 23
    assert mix_distance(7, UNRELATED) == 3


def test_word_weight_falls_with_time_unseen() -> None:
    word = pack_high(9, 100, 150, 30)
    assert weight(word, 150, 1000) == np.float32(30) / np.float32(1050)
    assert weight(word, 200, 1000) == np.float32(30) / np.float32(1150)
    assert weight(seen(word, 200, 2), 200, 1000) == np.float32(32) / np.float32(1100)
    assert seen(word, 200, 2) & 0xFF == 9


def test_word_count_saturates() -> None:
    word = seen(pack_high(0, 0, 0, MAX_COUNT - 1), 1, 5)
    assert (word >> 48) & 0xFFFF == MAX_COUNT


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stream is glibc's")
@pytest.mark.parametrize("seed", [0, 1, 7, 123456, 2**31 + 5])
def test_parity_stream_is_the_c_librarys(seed: int) -> None:
    library = ctypes.CDLL(None)
    library.srand(ctypes.c_uint(seed))
    expected = [library.rand() for _ in range(500)]
    stream = c_library_stream(seed)
    assert [draw(2**31, stream, np.uint64(0), 0, 0) for _ in range(500)] == expected


def test_counter_based_draws_are_even_and_depend_on_each_input() -> None:
    key = np.uint64(frame_key(3, 5, 1))
    draws = np.array([draw(7, NO_STREAM, key, pixel, 64) for pixel in range(14_000)])
    counts = np.bincount(draws, minlength=7)
    assert counts.size == 7
    assert np.abs(counts - 2000).max() < 250  # six standard deviations

    def sample(seed: int = 3, frame: int = 5, salt: int = 1, purpose: int = 64) -> list[int]:
        return [
            draw(1000, NO_STREAM, np.uint64(frame_key(seed, frame, salt)), pixel, purpose)
            for pixel in range(20)
        ]

    others = [sample(seed=4), sample(frame=6), sample(salt=2), sample(purpose=65)]
    assert sample() == sample()
    assert all(sample() != other for other in others)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(240, 320, 9), (540, 960, 13), (480, 640, 13), (80, 96, 7)]
)
def test_median_size(height: int, width: int, size: int) -> None:
    assert median_size(height, width) == size


def test_counting_median_equals_the_median() -> None:
    import cv2

    mask = np.where(np.random.default_rng(0).random((60, 70)) > 0.5, 255, 0).astype(np.uint8)
    for size in (5, 9, 13):
        np.testing.assert_array_equal(binary_median(mask, size), cv2.medianBlur(mask, size))


def test_cleaning_fills_holes_and_drops_specks() -> None:
    raw = np.zeros((60, 60), np.uint8)
    raw[10:40, 10:40] = 255
    raw[18:30, 18:30] = 0
    raw[50, 50] = 255
    mask = clean(raw, 9)
    assert mask[24, 24] == 255
    assert mask[50, 50] == 0


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_cleaned_level_thresholds_to_the_cleaned_mask(seed: int) -> None:
    import cv2

    noise = np.random.default_rng(seed).random((50, 60)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    level = np.clip((smooth - smooth.mean()) * 1200 + 110, 0, 255).astype(np.uint8)
    level[:2] = 0
    raw = np.where(level > 128, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(clean_level(level, 128, 5) > 128, clean(raw, 5) > 0)

"""Frames with absurdly many boxes: work and memory grow with the boxes, not with their pairs."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks import MaskSettings, boxes, coverage, cues, make_mask
from spotlabel.labelers.masks.believed import make_unknown
from spotlabel.labelers.masks.boxes import patches
from spotlabel.labelers.masks.coverage import few_pairs
from spotlabel.labelers.masks.cues import overlaps, own_fills


def scattered(count: int, size: tuple[int, int], longest: int) -> np.ndarray:
    """Rectangles int64 (count, 4), some of them empty or turned over, inside of twice the size."""
    random = np.random.default_rng(count)
    corners = random.integers(1, size, (count, 2))
    return np.concatenate([corners, corners + random.integers(-1, longest, corners.shape)], axis=1)


def counted(rects: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    covering = np.zeros(shape, np.int64)
    for x0, y0, x1, y1 in rects.tolist():
        covering[y0 : max(y1, y0), x0 : max(x1, x0)] += 1
    return covering


def test_memory_grows_with_the_boxes_and_not_with_their_pairs() -> None:
    rects = scattered(20_000, (2000, 1500), 5)
    mask = np.random.default_rng(1).integers(0, 2, (1510, 2010)).astype(np.uint8)
    tracemalloc.start()
    share = overlaps(rects)
    fills = own_fills(mask, rects, share)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200e6  # all pairs at once: 20 GB
    covering = counted(rects, mask.shape)
    for box in range(0, 20_000, 97):
        x0, y0, x1, y1 = rects[box].tolist()
        place = np.s_[y0 : max(y1, y0), x0 : max(x1, x0)]
        shared, alone = int((covering[place] - 1).sum()), covering[place] == 1
        assert share[box] == np.float32(min(shared / max(covering[place].size, 1), 1))
        expected = mask[place][alone].mean() if alone.any() else 0
        assert fills[box] == np.float32(expected) if shared else np.isnan(fills[box])


@pytest.mark.parametrize("longest", [3, 12, 60])
@pytest.mark.parametrize("count", [0, 1, 23, 90])
def test_pairs_and_pixels_tell_the_same(monkeypatch: pytest.MonkeyPatch, count: int, longest: int) -> None:
    rects = scattered(count, (40, 40), longest)
    mask = np.random.default_rng(2).integers(0, 2, (100, 100)).astype(np.uint8)
    told = []
    for most in (2**20, -1):
        monkeypatch.setattr(coverage, "PIXELS_PER_PAIR", 1)
        monkeypatch.setattr(coverage, "MOST_PAIRS", most)
        assert few_pairs(count, mask.size) == (most > 0)
        share = overlaps(rects)
        told.append((share, own_fills(mask, rects, share)))
    assert np.array_equal(told[0][0], told[1][0])
    assert np.array_equal(told[0][1], told[1][1], equal_nan=True)
    assert share.shape == (count,)


def test_coverage_and_sums_are_counts() -> None:
    rects = scattered(200, (30, 20), 9)
    covering = coverage.coverage(rects, (40, 50))
    assert covering.tolist() == counted(rects, (40, 50)).tolist()
    sums = [int(covering[y0 : max(y1, y0), x0 : max(x1, x0)].sum()) for x0, y0, x1, y1 in rects.tolist()]
    assert coverage.sums(covering, rects).tolist() == sums


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(2, 30), st.integers(1, 6))
def test_patches_are_the_same_ones_however_many_boxes(count: int, longest: int, margin: int) -> None:
    rects = scattered(count, (200, 150), longest)
    rects = rects[boxes.has_pixels(rects)]
    few = patches(rects, margin, (180, 230))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes, "FEW_BOXES", 0)
        many = patches(rects, margin, (180, 230))
    assert sorted(many) == sorted(few)


@settings(max_examples=40)
@given(st.integers(0, 30), st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_boxes_upon_boxes_become_unknown_as_few_do(count: int, longest: int, seed: int) -> None:
    """Expected: foreground of believed boxes stays, everything else in the others is unknown."""
    believed, unknown = scattered(count, (40, 40), longest), scattered(count + 1, (40, 40), longest)
    mask = np.random.default_rng(seed).integers(0, 2, (110, 110)).astype(np.uint8)
    kept = (mask == 1) & (counted(believed, mask.shape) > 0)
    expected = np.where((counted(unknown, mask.shape) > 0) & ~kept, 255, mask)
    make_unknown(mask, unknown, believed)
    assert mask.tolist() == expected.tolist()


def test_a_mask_of_60000_boxes_takes_no_more_than_its_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of some hundred pixels, 40 upon each pixel; no pair of them is ever looked at."""
    count, random = 60_000, np.random.default_rng(5)
    corners = random.uniform(0, 1, (count, 2)) * [930, 510]
    found = np.concatenate([corners, corners + random.uniform(8, 28, corners.shape)], axis=1)
    evidence = random.integers(0, 256, (540, 960)).astype(np.uint8)
    compared = 0

    def overlapping(held: np.ndarray, patch: list[int]) -> np.ndarray:
        nonlocal compared
        compared += held.shape[1]
        return _overlapping(held, patch)

    _overlapping = boxes._overlapping
    monkeypatch.setattr(boxes, "_overlapping", overlapping)
    tracemalloc.start()
    made = make_mask(
        evidence, EvidenceKind.DISTANCE, found.astype(np.float32), np.ones(count, np.bool_),
        np.zeros((0, 4), np.float32), MaskSettings(), neutral=30,
    )  # fmt: skip
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 400e6  # the shapes of the boxes are 35 MB, what is asked of them some times that
    assert compared < 400 * count  # of 60,000 a box
    assert len(made.fill) == count
    assert np.count_nonzero(cues.overlaps(made_rects(found))) == count


def made_rects(found: np.ndarray) -> np.ndarray:
    return boxes.pixel_rects(found.astype(np.float32), (540, 960), MaskSettings())

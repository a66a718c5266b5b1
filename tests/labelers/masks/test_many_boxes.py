"""Frames with absurdly many boxes: memory grows with the boxes, not with their pairs."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from spotlabel.labelers.masks import cues
from spotlabel.labelers.masks.cues import overlaps, own_fills


def scattered(count: int, size: tuple[int, int], longest: int) -> np.ndarray:
    """Rectangles int64 (count, 4), some of them empty."""
    random = np.random.default_rng(count)
    corners = random.integers(0, size, (count, 2))
    return np.concatenate([corners, corners + random.integers(0, longest, corners.shape)], axis=1)


def test_memory_grows_with_the_boxes_and_not_with_their_pairs() -> None:
    rects = scattered(20_000, (2000, 1500), 5)
    mask = np.random.default_rng(1).integers(0, 2, (1510, 2010)).astype(np.uint8)
    tracemalloc.start()
    share = overlaps(rects)
    fills = own_fills(mask, rects[:2000], share[:2000])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200e6  # all pairs at once: 20 GB
    covering = np.zeros(mask.shape, np.int64)
    for x0, y0, x1, y1 in rects.tolist():
        covering[y0:y1, x0:x1] += 1
    for box in range(0, 20_000, 997):
        x0, y0, x1, y1 = rects[box].tolist()
        shared = int((covering[y0:y1, x0:x1] - 1).sum())
        assert share[box] == np.float32(min(shared / max((y1 - y0) * (x1 - x0), 1), 1))
    assert np.array_equal(np.isnan(fills), share[:2000] == 0)


@pytest.mark.parametrize("pairs", [1, 7, 100])
def test_the_cues_do_not_depend_on_how_many_pairs_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, pairs: int
) -> None:
    rects = scattered(23, (40, 40), 10)
    mask = np.random.default_rng(2).integers(0, 2, (60, 60)).astype(np.uint8)
    share = overlaps(rects)
    fills = own_fills(mask, rects, share)
    assert 5 < np.count_nonzero(share) < 23
    monkeypatch.setattr(cues, "PAIRS_AT_ONCE", pairs)
    monkeypatch.setattr(cues, "FEW_BOXES", 0)
    assert np.array_equal(overlaps(rects), share)
    assert np.array_equal(own_fills(mask, rects, share), fills, equal_nan=True)
    assert overlaps(rects[:0]).shape == (0,)

"""The compiled parts of ``boxbg`` beside the same written down plainly."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.labelers.boxbg.cues import (
    BIN_SHAPE,
    COLOUR_EDGES,
    DEVIATION_EDGES,
    RATIO_EDGES,
    TEXTURE_EDGES,
    measure_cues,
)
from spotlabel.labelers.boxbg.odds import BinCounts
from spotlabel.labelers.boxbg.template import make_template


def around(plane: np.ndarray) -> list[list[np.ndarray]]:
    """Pixels from a row and column before each one to a row and column after; the border is repeated."""
    height, width = plane.shape[:2]
    padded = np.pad(plane, [(1, 1), (1, 1)] + [(0, 0)] * (plane.ndim - 2), mode="edge")
    return [[padded[y : y + height, x : x + width] for x in range(3)] for y in range(3)]


def mean3x3(plane: np.ndarray) -> np.ndarray:
    return sum(sum(row) for row in around(plane)) / 9


def sobel(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = around(plane)
    across = (p[0][2] + 2 * p[1][2] + p[2][2]) - (p[0][0] + 2 * p[1][0] + p[2][0])
    down = (p[2][0] + 2 * p[2][1] + p[2][2]) - (p[0][0] + 2 * p[0][1] + p[0][2])
    return across / 8, down / 8


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 2), (23, 31)])
def test_cues_are_what_they_are_called(size: tuple[int, int]) -> None:
    random = np.random.default_rng(size[1])
    level = random.integers(0, 256, (*size, 3), np.uint8)
    image = np.clip(level + random.normal(0, 20, level.shape), 0, 255).astype(np.uint8)
    sigma = random.integers(8, 60, (*size, 3), np.uint8)
    gain = np.array([0.9, 1, 1.1], np.float32)
    found = measure_cues(image, level, sigma, gain)

    here, there, noise = image.astype(float), np.minimum(level * gain.astype(float), 255), sigma / 4
    deviation = (np.abs(here - there) / noise).max(axis=2)
    near, far = mean3x3(here), mean3x3(there)
    ratio = (near.mean(axis=2) + 6) / (far.mean(axis=2) + 6)
    shaded = noise.mean(axis=2) * np.minimum(ratio, 1)
    colour = np.abs(near - ratio[..., None] * far).max(axis=2) / (0.75 * shaded + 1)
    gradients = zip(sobel(here.mean(axis=2)), sobel(there.mean(axis=2)), strict=True)
    texture = np.hypot(*(one - ratio * other for one, other in gradients))
    cues = (np.log(ratio), mean3x3(deviation), mean3x3(texture) / (0.5 * shaded + 1), colour)
    edges = (RATIO_EDGES, DEVIATION_EDGES, TEXTURE_EDGES, COLOUR_EDGES)
    wanted = [np.searchsorted(edge, cue, side="right") for edge, cue in zip(edges, cues, strict=True)]
    clear = [np.abs(cue[..., None] - edge).min(axis=2) > 0.002 for edge, cue in zip(edges, cues, strict=True)]
    assert np.allclose(found.deviation, deviation, rtol=1e-5)
    for bins, expected, sure in zip(np.unravel_index(found.bins, BIN_SHAPE), wanted, clear, strict=True):
        assert (bins == expected)[sure].all()
        assert sure.mean() > 0.9


def test_the_next_patch_changes_nothing_of_the_last() -> None:
    random = np.random.default_rng(0)
    patches = [random.integers(8, 256, (3, *size, 3), np.uint8) for size in ((20, 30), (11, 50), (20, 30))]
    gain = np.ones(3, np.float32)
    first = measure_cues(*patches[0], gain)
    kept = first.bins.copy(), first.deviation.copy()
    for patch in patches[1:]:
        measure_cues(*patch, gain)
    assert (first.bins == kept[0]).all()
    assert (first.deviation == kept[1]).all()
    again = measure_cues(*patches[0], gain)
    assert (again.bins == kept[0]).all()


def test_pixels_are_counted_by_bin_and_place() -> None:
    counts = BinCounts()
    bins = np.array([[5, 5, 7], [9, 5, 7]], np.int32)
    inside = np.array([[True, True, False], [False, False, True]])
    counts.add(bins, inside, ~inside)
    counts.add(bins, inside, np.zeros_like(inside))
    assert {k: counts.inside[k] for k in np.flatnonzero(counts.inside)} == {5: 4, 7: 2}
    assert {k: counts.around[k] for k in np.flatnonzero(counts.around)} == {5: 1, 7: 1, 9: 1}


@pytest.mark.parametrize("levels", [4, 12, 1000])
def test_points_are_the_strongest_of_each_cell_the_last_ones_where_they_are_as_strong(levels: int) -> None:
    """48 x 96 px: cells of 4 x 4, each of which may have 13 points."""
    gx = np.random.default_rng(levels).integers(0, levels, (48, 96)).astype(np.float32)
    template = make_template(np.zeros_like(gx), gx, np.zeros_like(gx), np.ones(gx.shape, np.bool_))
    wanted = []
    for top in range(0, 48, 4):
        for left in range(0, 96, 4):
            cell = [(gx[y, x], y, x) for y in range(top, top + 4) for x in range(left, left + 4)]
            wanted += [(y, x) for strength, y, x in sorted(cell, reverse=True)[:13] if strength > 2]
    assert list(zip(template.y.tolist(), template.x.tolist(), strict=True)) == wanted

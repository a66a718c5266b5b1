"""Tiles of a comparison: what is cut out, what is drawn, how tiles come together."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.pipeline.pictures.tiles import (
    PANEL_HEIGHT,
    PANEL_WIDTH,
    change_tile,
    cut,
    tile_grid,
    window_around,
)

BOX = np.array([40, 30, 60, 45], np.float32)


@pytest.mark.parametrize("corner", [(0, 0), (40, 30), (180, 105)])
def test_a_window_has_the_shape_of_a_panel_and_stays_inside(corner: tuple[int, int]) -> None:
    x, y = corner
    x0, y0, x1, y1 = window_around(np.array([x, y, x + 20, y + 15], np.float32), (120, 200))
    assert (x1 - x0) / (y1 - y0) == pytest.approx(PANEL_WIDTH / PANEL_HEIGHT, rel=0.1)
    assert 0 <= x0 <= x
    assert x + 20 <= x1 <= 200
    assert 0 <= y0 <= y
    assert y + 15 <= y1 <= 120


def test_what_lies_beyond_the_image_is_filled() -> None:
    plane = np.array([[1, 2], [3, 4]], np.uint8)
    assert cut(plane, (-1, 1, 3, 3), 9).tolist() == [[9, 3, 4, 9], [9, 9, 9, 9]]
    assert (cut(plane, (5, 5, 7, 7), 9) == 9).all()
    assert window_around(np.array([0, 0, 8, 8], np.float32), (8, 8))[0] < 0


def test_each_panel_shows_its_own_mask() -> None:
    image = np.full((90, 120, 3), 100, np.uint8)
    nothing, something = np.zeros((90, 120), np.uint8), np.zeros((90, 120), np.uint8)
    something[32:43, 42:58] = 1
    tile = change_tile(image, (nothing, something), BOX, ("one", "two"))
    middle, across = PANEL_HEIGHT // 2, PANEL_WIDTH // 2
    centres = [tile[middle, across + k * (PANEL_WIDTH + 2)].tolist() for k in range(3)]
    assert centres[0] == centres[1] == [100, 100, 100]
    assert centres[2] != centres[0]
    assert (tile == 255).all(axis=2).sum() > 3 * 100  # the box, in every panel
    assert tile.shape == change_tile(image, (nothing, nothing), BOX * 0.5, ("", "")).shape


def test_a_grid_fills_its_last_row_with_ground() -> None:
    tile = np.full((20, 50, 3), 200, np.uint8)
    one, four = (tile_grid([tile] * n, 3, ("",)) for n in (1, 4))
    assert four.shape[1] == 3 * (50 + 10)
    assert one.shape[1] == 50 + 10
    assert four.shape[0] - one.shape[0] == 20 + 10
    assert (four == 200).all(axis=2).sum() == 4 * 20 * 50

"""Shapes along a track, on literal arrays."""

from __future__ import annotations

import numpy as np

from spotlabel.labelers.masks.shapes import GRID, box_shapes
from spotlabel.labelers.masks.temporal import comparable_tracks, neighbour_iou, shape_iou


def rectangles(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 4)


def plane_with(*places: tuple[int, int, int, int]) -> np.ndarray:
    plane = np.zeros((120, 160), np.uint8)
    for x0, y0, x1, y1 in places:
        plane[y0:y1, x0:x1] = 1
    return plane


def test_a_mask_that_moves_and_grows_with_its_box_agrees_fully():
    small = box_shapes(plane_with((10, 10, 34, 22)), rectangles((10, 10, 34, 34)))
    large = box_shapes(plane_with((60, 40, 108, 64)), rectangles((60, 40, 108, 88)))
    assert small.sum() == GRID * GRID // 2
    assert shape_iou(small, large).tolist() == [1.0]


def test_halves_that_share_nothing_do_not_agree_and_emptiness_confirms_nothing():
    box = rectangles((10, 10, 34, 34))
    upper = box_shapes(plane_with((10, 10, 34, 22)), box)
    lower = box_shapes(plane_with((10, 22, 34, 34)), box)
    left = box_shapes(plane_with((10, 10, 22, 34)), box)
    nothing = box_shapes(plane_with(), box)
    assert shape_iou(upper, lower).tolist() == [0.0]
    assert np.isclose(shape_iou(upper, left), 1 / 3)
    assert shape_iou(nothing, nothing).tolist() == [0.0]


def test_boxes_are_compared_along_their_tracks():
    rects = rectangles((10, 10, 34, 34), (60, 60, 84, 84))
    before = box_shapes(plane_with((10, 10, 34, 34), (60, 60, 72, 84)), rects)
    after = box_shapes(plane_with((10, 10, 34, 34), (60, 60, 84, 84)), rects[::-1].copy())
    one, other = neighbour_iou((np.array([7, 8]), before), (np.array([8, 7]), after))
    assert one.tolist() == [1.0, 0.5]
    assert other.tolist() == [0.5, 1.0]


def test_without_a_track_or_a_neighbour_there_is_nothing_to_say():
    shapes = np.ones((2, GRID, GRID), np.uint8)
    one, other = neighbour_iou((np.array([-1, 3]), shapes), (np.array([-1, 4]), shapes))
    assert np.isnan(one).all()
    assert np.isnan(other).all()
    none, _ = neighbour_iou((np.zeros(0, np.int64), shapes[:0]), (np.array([3, 4]), shapes))
    assert none.shape == (0,)


def test_boxes_cut_by_the_image_and_boxes_without_pixels_are_not_compared():
    rects = rectangles((0, 5, 10, 15), (5, 5, 160, 15), (5, 5, 15, 15), (5, 5, 5, 15), (5, 90, 15, 120))
    found = comparable_tracks(np.array([1, 2, 3, 4, 5]), rects, (120, 160))
    assert found.tolist() == [-1, -1, 3, -1, -1]


def test_a_box_without_pixels_has_an_empty_shape():
    shapes = box_shapes(np.ones((9, 9), np.uint8), rectangles((3, 3, 3, 5), (2, 2, 8, 8)))
    assert shapes.sum(axis=(1, 2)).tolist() == [0, GRID * GRID]

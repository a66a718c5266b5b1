"""Polygons with bridges: what comes back when they are filled."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spotlabel.pipeline.exports.frame import piece_of
from spotlabel.pipeline.exports.polygons import filled, kept_iou, polygon

PLANES = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 1)
)


def back(plane: np.ndarray) -> np.ndarray:
    piece = piece_of(plane)
    assert piece is not None
    return filled(polygon(piece), plane.shape)


@given(PLANES)
def test_nothing_of_a_mask_is_lost(plane: np.ndarray) -> None:
    if plane.any():
        assert (back(plane) >= plane).all()


@given(PLANES)
def test_one_part_without_islands_comes_back_as_it_was(plane: np.ndarray) -> None:
    parts, labels = cv2.connectedComponents(plane, connectivity=8)
    if parts < 2:
        return
    one = (labels == 1).astype(np.uint8)
    assert (back(one) == one).all()
    piece = piece_of(one)
    assert piece is not None
    assert kept_iou(piece, polygon(piece)) == 1


def test_rings_keep_their_holes() -> None:
    ring = np.zeros((30, 40), np.uint8)
    ring[4:26, 5:35] = 1
    ring[8:12, 9:14] = 0
    ring[15:22, 20:30] = 0
    assert (back(ring) == ring).all()


def test_parts_are_joined_where_they_are_closest() -> None:
    plane = np.zeros((9, 20), np.uint8)
    plane[2:6, 1:5] = plane[2:6, 8:12] = plane[2:4, 14:19] = 1
    extra = np.argwhere(back(plane) > plane).tolist()
    assert len(extra) == 3 + 2  # a line over each gap
    assert {column for _, column in extra} == {5, 6, 7, 12, 13}


def test_straight_borders_have_vertices_at_their_ends_alone() -> None:
    plane = np.zeros((20, 20), np.uint8)
    plane[3:15, 4:17] = 1
    piece = piece_of(plane)
    assert piece is not None
    assert sorted(polygon(piece).tolist()) == [[4, 3], [4, 14], [16, 3], [16, 14]]


def test_a_single_pixel() -> None:
    plane = np.zeros((3, 3), np.uint8)
    plane[1, 2] = 1
    assert (back(plane) == plane).all()

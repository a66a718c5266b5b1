"""Run lengths against pycocotools and by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from spotlabel.pipeline.exports.frame import Piece, piece_of
from spotlabel.pipeline.exports.rle import coco_rle, column_runs, cvat_rle

PLANES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1))


@given(PLANES)
def test_coco_as_pycocotools_encodes_the_whole_image(plane: np.ndarray) -> None:
    piece = piece_of(plane)
    if piece is None:
        assert not plane.any()
        return
    wanted = coco_mask.encode(np.asfortranarray(plane))
    assert coco_rle(piece, plane.shape) == {"size": [*plane.shape], "counts": wanted["counts"].decode()}
    assert (piece.full(plane.shape) == plane).all()
    assert piece.area == plane.sum()


def test_runs_through_the_whole_height_go_on_in_the_next_column() -> None:
    piece = Piece(np.array([[1, 1, 0], [1, 1, 1]], np.uint8), x=1, y=0)
    assert column_runs(piece, height=2).tolist() == [[2, 6], [7, 8]]
    assert column_runs(piece, height=3).tolist() == [[3, 5], [6, 8], [10, 11]]


def test_cvat_counts_by_rows_from_pixels_that_are_not_set() -> None:
    assert cvat_rle(Piece(np.array([[1, 1, 0], [0, 1, 1]], np.uint8), 5, 9)) == [0, 2, 2, 2]
    assert cvat_rle(Piece(np.array([[0, 1], [1, 0]], np.uint8), 5, 9)) == [1, 2, 1]


@given(PLANES)
def test_cvat_runs_come_back(plane: np.ndarray) -> None:
    piece = piece_of(plane)
    if piece is not None:
        runs = cvat_rle(piece)
        assert np.repeat(np.arange(len(runs)) % 2, runs).tolist() == piece.mask.ravel().tolist()


def test_a_piece_is_cut_tightly() -> None:
    plane = np.zeros((5, 6), np.uint8)
    plane[2, 3] = plane[3, 4] = 1
    piece = piece_of(plane, x=10, y=20)
    assert piece is not None
    assert piece.mask.tolist() == [[1, 0], [0, 1]]
    assert piece.box == (13, 22, 15, 24)
    assert piece_of(np.zeros((4, 4), np.uint8)) is None
    assert piece_of(np.zeros((0, 4), np.uint8)) is None

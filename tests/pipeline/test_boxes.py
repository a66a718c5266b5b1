"""Cutting boxes at the image border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.boxes import clip_boxes


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_boxes_inside_across_and_outside_the_image(kind: type) -> None:
    boxes = np.array([[1, 2, 3, 4], [-5, -5, 2, 2], [8, 5, 99, 99], [20, 1, 30, 2], [-9, -9, -1, -1]], kind)
    cut = clip_boxes(boxes, (6, 10))
    assert cut.tolist() == [[1, 2, 3, 4], [0, 0, 2, 2], [8, 5, 10, 6], [10, 1, 10, 2], [0, 0, 0, 0]]
    assert cut.dtype == kind


@given(st.lists(st.tuples(*[st.integers(-50, 50)] * 4), max_size=5), st.integers(1, 40), st.integers(1, 40))
def test_a_cut_box_holds_just_the_pixels_it_held_of_the_image(
    corners: list[tuple[int, int, int, int]], height: int, width: int
) -> None:
    boxes = np.array(corners, np.int64).reshape(-1, 4)
    y, x = np.mgrid[:height, :width]

    def held(rows: np.ndarray) -> list[list[bool]]:
        return [((x >= x0) & (x < x1) & (y >= y0) & (y < y1)).tolist() for x0, y0, x1, y1 in rows]

    cut = clip_boxes(boxes, (height, width))
    assert held(cut) == held(boxes)
    assert (clip_boxes(cut, (height, width)) == cut).all()

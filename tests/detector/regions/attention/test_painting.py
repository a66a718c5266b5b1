"""Maps of RoIs on a canvas: each over its RoI, against a literal reading pixel by pixel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.contract import Found
from spotlabel.detector.regions.attention.painting import paint, paint_found

torch.set_num_threads(1)


def test_maps_are_stretched_over_their_rois() -> None:
    maps = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]])
    drawn = paint(maps, torch.tensor([[10.0, 20, 30, 40], [25, 20, 45, 30]]), (60, 100))
    assert drawn.shape == (60, 100)
    assert drawn[25, 10:15].tolist() == [0] * 5  # up to the centre of the first cell
    assert drawn[35, 25:30].tolist() == [1] * 5  # from the centre of the second
    assert drawn[35, 20] == pytest.approx(0.55, abs=1e-6)
    assert drawn[25, 29] == 1  # the larger of two
    assert drawn[25, 40] == 0.5
    assert drawn[:20].max() == drawn[:, 45:].max() == drawn[40:].max() == 0


@pytest.mark.parametrize("roi", [[200, 10, 240, 30], [-9, -9, -2, -2], [30, 30, 30, 50]])
def test_rois_off_the_canvas_or_without_area_paint_nothing(roi: list[float]) -> None:
    assert paint(torch.ones(1, 3, 3), torch.tensor([roi], dtype=torch.float32), (60, 100)).max() == 0


def test_no_rois_at_all_leave_an_empty_canvas() -> None:
    assert paint(torch.zeros(0, 7, 7), torch.zeros(0, 4), (4, 5)).tolist() == [[0.0] * 5] * 4


corners = st.tuples(*[st.floats(-15, 15)] * 2, *[st.floats(0.5, 25)] * 2)


@settings(max_examples=40)
@given(st.lists(corners, min_size=1, max_size=10), st.integers(1, 4), st.integers(0, 99))
def test_every_pixel_is_read_from_its_place_in_the_roi(
    places: list[tuple[float, ...]], cells: int, seed: int
) -> None:
    rois = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in places], dtype=torch.float64)
    maps = torch.rand(
        len(rois), cells, cells, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    drawn = paint(maps, rois, (9, 12))
    for row in range(9):
        for column in range(12):
            best = 0.0
            for roi, values in zip(rois.tolist(), maps, strict=True):
                x, y = (column + 0.5 - roi[0]) / (roi[2] - roi[0]), (row + 0.5 - roi[1]) / (roi[3] - roi[1])
                if 0 <= x < 1 and 0 <= y < 1:
                    best = max(best, bilinear(values, y * cells - 0.5, x * cells - 0.5))
            assert float(drawn[row, column]) == pytest.approx(best, abs=1e-9)


def bilinear(values: torch.Tensor, y: float, x: float) -> float:
    last = len(values) - 1
    y, x = min(max(y, 0), last), min(max(x, 0), last)
    top, left = int(y), int(x)
    low, right = min(top + 1, last), min(left + 1, last)
    upper = values[top, left] * (1 - x + left) + values[top, right] * (x - left)
    lower = values[low, left] * (1 - x + left) + values[low, right] * (x - left)
    return float(upper * (1 - y + top) + lower * (y - top))


def test_only_sure_boxes_are_painted() -> None:
    boxes = torch.tensor([[[0.0, 0, 4, 4], [4, 4, 8, 8]], [[0, 0, 8, 8], [2, 2, 3, 3]]])
    scores = torch.tensor([[0.9, 0.29], [0.3, 0.0]])
    found = Found(boxes, scores, torch.zeros(2, 2, dtype=torch.long), {})
    drawn = paint_found(torch.ones(4, 7, 7, dtype=torch.bfloat16), found, (8, 8))
    assert (drawn.shape, drawn.dtype) == ((2, 8, 8), torch.float32)
    assert drawn.sum(dim=(1, 2)).tolist() == [16, 64]

"""Native rectangles to tables: conversion, clipping, counting, refusing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.native import Collector, NativeRects
from spotlabel.pipeline.errors import DatasetError

PATH = Path("boxes.txt")
H, W = 40, 60


def canvas(origin=0.0, beyond="refuse", numbers=(1, 2, 3)):
    return Canvas((H, W), np.array(numbers, np.int64), origin, beyond)


def native(*rows, tracks=None):
    """Rows (frame, x0, y0, x1, y1) on lines 10, 11, ..."""
    collector = Collector(PATH)
    for i, (frame, *xyxy) in enumerate(rows):
        collector.add(frame, tuple(xyxy), 10 + i, track_id=-1 if tracks is None else tracks[i])
    return collector.boxes(("car",))


def build(*rows, tracks=None, **options):
    return build_annotations(native(*rows, tracks=tracks), canvas(**options))


def test_frames_without_boxes_are_empty_and_file_order_is_kept_within_a_frame():
    found = build((3, 1, 1, 2, 2), (1, 5, 5, 6, 6), (3, 0, 0, 1, 1))
    assert found.boxes.offsets.tolist() == [0, 1, 1, 3]
    assert found.boxes.xyxy.tolist() == [[5, 5, 6, 6], [1, 1, 2, 2], [0, 0, 1, 1]]
    assert (found.clipped, found.dropped) == (0, 0)


def test_no_boxes_at_all():
    found = build()
    assert found.boxes.offsets.tolist() == [0, 0, 0, 0]
    assert len(found.regions) == 3


@pytest.mark.parametrize("origin", [0.0, 0.5, 1.0])
def test_a_box_over_the_whole_image_is_not_clipped(origin):
    found = build((1, origin, origin, W + origin, H + origin), origin=origin)
    assert found.boxes.xyxy.tolist() == [[0, 0, W, H]]
    assert found.clipped == 0
    assert found.native_origin == origin


def test_a_box_partly_off_the_image_is_cut_flagged_and_counted():
    found = build((1, -5, 3, 10, 12), (1, 50, 30, 61, 39), (1, 1, 1, 2, 2))
    assert found.boxes.xyxy.tolist() == [[0, 3, 10, 12], [50, 30, 60, 39], [1, 1, 2, 2]]
    assert found.boxes.flags.tolist() == [BoxFlag.CLIPPED, BoxFlag.CLIPPED, 0]
    assert (found.clipped, found.dropped) == (2, 0)


def test_a_box_with_no_area_left_is_dropped_and_counted():
    found = build((1, -9, 3, 0, 12), (2, 60, 0, 70, 5), (2, 0, 40, 5, 45), (3, 59.999999999, 0, 65, 5))
    assert len(found.boxes.xyxy) == 0
    assert (found.clipped, found.dropped) == (0, 4)


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ((1, float("nan"), 1, 5, 5), "left is nan", "finite"),
        ((1, 1, float("nan"), 5, 5), "top is nan", "finite"),
        ((1, 1, 1, float("nan"), 5), "width is nan", "finite"),
        ((1, 1, 1, 5, float("inf")), "height is inf", "finite"),
        ((1, float("-inf"), 1, 5, 5), "left is -inf", "finite"),
        ((1, 5, 1, 5, 5), "width is 0", "more than 0"),
        ((1, 1, 5, 5, 4), "height is -1", "more than 0"),
        ((1, 2e6, 1, 2e6 + 5, 5), "left is 2e+06", "at most 1e+06"),
        ((1, 1, -2e6, 5, 5), "top is -2e+06", "at most 1e+06"),
        ((1, 0, 0, 601, 5), "width is 601", "10 times the image of 60 x 40"),
        ((1, 0, -300, 5, 101), "height is 401", "10 times the image of 60 x 40"),
    ],
)
def test_impossible_geometry_is_refused_with_file_line_and_field(row, field, expected):
    with pytest.raises(DatasetError) as error:
        build((1, 1, 1, 2, 2), row)
    assert str(error.value).startswith(f"boxes.txt: line 11: {field}, ")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_ten_times_the_image_is_still_clipped():
    found = build((1, -200, -100, 400, 300))
    assert found.boxes.xyxy.tolist() == [[0, 0, W, H]]


def test_a_track_id_twice_in_a_frame_is_refused():
    rows = [(1, 1, 1, 2, 2), (2, 1, 1, 2, 2), (1, 3, 3, 4, 4)]
    with pytest.raises(DatasetError, match=r"boxes.txt: line 12: track id 7 a second time in frame 1"):
        build(*rows, tracks=[7, 7, 7])
    assert build(*rows, tracks=[7, 7, 8]).boxes.track_id.tolist() == [7, 8, 7]
    assert build(*rows, tracks=[-1, -1, -1]).boxes.track_id.tolist() == [-1, -1, -1]


def test_a_negative_track_id_is_refused():
    with pytest.raises(DatasetError, match="line 10: track id is -2, expected 0 or more, or -1 for none"):
        build((1, 1, 1, 2, 2), tracks=[-2])


@pytest.mark.parametrize("frame", [-1, 0, 4, 2**52])
def test_frames_without_an_image_are_refused_or_dropped(frame):
    rows = [(1, 1, 1, 2, 2), (frame, 1, 1, 2, 2), (3, 1, 1, 2, 2)]
    with pytest.raises(DatasetError, match=rf"line 11: frame {frame} has no image, the images are 1 to 3 \("):
        build(*rows)
    found = build(*rows, beyond="drop")
    assert found.boxes.offsets.tolist() == [0, 1, 1, 2]
    assert found.dropped == 1


def test_frames_between_subsampled_images_count_as_beyond():
    with pytest.raises(DatasetError, match="frame 2 has no image, the images are 1 to 9 in steps of 4"):
        build((2, 1, 1, 2, 2), numbers=(1, 5, 9))
    found = build((2, 1, 1, 2, 2), (5, 1, 1, 2, 2), numbers=(1, 5, 9), beyond="drop")
    assert found.boxes.offsets.tolist() == [0, 0, 1, 1]


def test_static_regions_come_before_those_of_the_frame():
    static = native((0, 0.5, 0.5, 10.5, 5.5), (0, 90, 90, 95, 95)).rects
    per_frame = native((3, 2.5, 2.5, 4.5, 4.5), (3, -9, -9, 1.5, 2.5), (2, 70, 1, 75, 2)).rects
    found = build_annotations(native(), canvas(origin=0.5), static=[static], per_frame=per_frame)
    assert found.regions.offsets.tolist() == [0, 1, 2, 5]
    assert found.regions.at(0).tolist() == [[0, 0, 10, 5]]
    assert found.regions.at(2).tolist() == [[0, 0, 10, 5], [2, 2, 4, 4], [0, 0, 1, 2]]
    assert (found.clipped, found.dropped) == (0, 0)


def test_regions_are_checked_like_boxes():
    with pytest.raises(DatasetError, match="line 10: width is 0"):
        build_annotations(native(), canvas(), static=[native((0, 1, 1, 1, 5)).rects])
    with pytest.raises(DatasetError, match="line 10: frame 9 has no image"):
        build_annotations(native(), canvas(), per_frame=native((9, 1, 1, 2, 5)).rects)


def test_regions_of_the_option_are_in_our_coordinates_whatever_the_origin():
    static = NativeRects.of_option([(1, 2, 3, 4)], origin=1.0)
    found = build_annotations(native(), canvas(origin=1.0), static=[static])
    assert found.regions.at(0).tolist() == [[1, 2, 3, 4]]


def test_dtypes():
    boxes = build((1, 1, 1, 2, 2)).boxes
    columns = (boxes.offsets, boxes.xyxy, boxes.class_id, boxes.track_id, boxes.flags)
    assert [column.dtype.name for column in columns] == ["int64", "float32", "int16", "int64", "uint8"]


coordinate = st.floats(-300, 300)
side = st.floats(0.01, 390)
box = st.builds(
    lambda frame, x, y, w, h: (frame, x, y, x + w, y + h),
    st.integers(1, 3),
    coordinate,
    coordinate,
    side,
    side,
)


@given(st.lists(box, max_size=20), st.sampled_from([0.0, 0.5, 1.0]))
def test_clipped_boxes_lie_inside_and_never_grow(rows, origin):
    found = build(*rows, origin=origin)
    xyxy = found.boxes.xyxy.astype(np.float64)
    assert len(xyxy) + found.dropped == len(rows)
    assert (xyxy >= 0).all()
    assert (xyxy <= [W, H, W, H]).all()
    assert (xyxy[:, :2] < xyxy[:, 2:]).all()
    assert found.clipped == np.count_nonzero(found.boxes.flags & BoxFlag.CLIPPED)


@given(box, st.sampled_from([0.0, 0.5, 1.0]))
def test_the_sides_of_a_box_never_grow(row, origin):
    found = build(row, origin=origin).boxes.xyxy.astype(np.float64)
    for x0, y0, x1, y1 in found:
        assert x1 - x0 <= (row[3] - row[1]) + 1e-5
        assert y1 - y0 <= (row[4] - row[2]) + 1e-5


def edges(length):
    """Two different coordinates within the image, on a grid that float32 holds exactly."""
    steps = st.integers(0, length * 64)
    return st.lists(steps, min_size=2, max_size=2, unique=True).map(lambda s: [n / 64 for n in sorted(s)])


@given(edges(W), edges(H), st.sampled_from([0.0, 0.5, 1.0]))
def test_conversion_of_boxes_inside_is_exactly_reversible(x, y, origin):
    theirs = np.array([x[0], y[0], x[1], y[1]]) + origin
    found = build((2, *theirs), origin=origin)
    assert (found.boxes.at(1).astype(np.float64)[0] + found.native_origin == theirs).all()
    assert found.clipped == 0

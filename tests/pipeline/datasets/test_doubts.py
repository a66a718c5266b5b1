"""Boxes that are well-formed and cannot be meant."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.native import CORNERS, LTWH, Collector, corners
from spotlabel.pipeline.errors import DatasetError
from tests.pipeline.datasets.test_box_checks import PATH

SIZE = (120, 160)


def build(rows, *, fields=LTWH, areas=None, origin=0.0):
    """Annotations of rows (left, top, width, height), one per frame."""
    collector = Collector(PATH, fields=fields)
    for number, row in enumerate(rows):
        area = float("nan") if areas is None else areas[number]
        collector.add(number, corners(*row), number + 1, area=area)
    canvas = Canvas(SIZE, np.arange(len(rows), dtype=np.int64), origin, "refuse")
    return build_annotations(collector.boxes(("car",)), canvas)


CARS = [(5 * k + 1, 20 + 3 * k, 36, 20) for k in range(20)]


@pytest.mark.parametrize("origin", [0.0, 0.5, 1.0])
def test_fractions_of_the_image_are_refused(origin):
    rows = [(x / 160, y / 120, w / 160, h / 120) for x, y, w, h in CARS]
    with pytest.raises(
        DatasetError, match=r"all 20 boxes lie within 0 to 1.*by 160, y and heights by 120"
    ) as e:
        build(rows, origin=origin)
    assert "\n" not in str(e.value)


def test_fractions_of_a_file_of_corners_that_leave_the_image_a_little():
    with pytest.raises(DatasetError, match="all 3 boxes lie within 0 to 1"):
        build([(-0.01, 0.5, 0.2, 0.52)] * 3, fields=CORNERS)


def test_a_few_small_boxes_among_others_are_no_fractions():
    assert len(build([(0.25, 0.25, 0.5, 0.5), *CARS]).boxes.xyxy) == 21
    assert len(build([(0, 0, 1, 1)]).boxes.xyxy) == 1


def doubts(caplog, rows, **options):
    with caplog.at_level(logging.WARNING, "spotlabel"):
        build(rows, **options)
    return [record.getMessage() for record in caplog.records if record.implausible]


def as_corners(rows):
    """The same boxes with right and lower edge where width and height should be."""
    return [(x, y, x + w, y + h) for x, y, w, h in rows]


def test_right_edges_given_as_widths(caplog):
    (line,) = doubts(caplog, as_corners(CARS))
    assert "width and height are larger than left and top in all 20 boxes" in line


def test_areas_tell_corners_from_sizes_even_of_boxes_that_stay_inside(caplog):
    small = [(2 + k, 3 + k, 10, 8) for k in range(6)]
    assert doubts(caplog, as_corners(small)) == []
    (line,) = doubts(caplog, as_corners(small), areas=[80] * 6)
    assert "corners given as sizes?" in line


def test_areas_of_a_larger_image(caplog):
    (line,) = doubts(caplog, CARS, areas=[4 * 36 * 20] * 20)
    assert "larger than the boxes" in line


@pytest.mark.parametrize("areas", [None, [720] * 20, [300] * 20, [0] * 20, [float("nan")] * 20])
def test_right_boxes_with_areas_of_boxes_or_outlines(caplog, areas):
    assert doubts(caplog, CARS, areas=areas) == []


def test_large_objects_near_the_origin_are_no_corners(caplog):
    assert doubts(caplog, [(5 + k, 4, 120, 100) for k in range(12)]) == []
    assert doubts(caplog, [(x, y, x + w, y + h) for x, y, w, h in CARS], fields=CORNERS) == []

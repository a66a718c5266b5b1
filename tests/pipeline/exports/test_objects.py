"""Objects over time, and their small numbers."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.formats.mots import class_numbers
from spotlabel.pipeline.exports.objects import Objects, objects_of, values_of


def table(frames: list[list[tuple[int, int]]]) -> BoxTable:
    """Track and class of the boxes of every frame."""
    rows = [box for frame in frames for box in frame]
    offsets = np.cumsum([0, *map(len, frames)])
    track, kind = np.array(rows, np.int64).reshape(-1, 2).T
    xyxy = np.tile(np.array([0, 0, 1, 1], np.float32), (len(rows), 1))
    return BoxTable(offsets, xyxy, kind.astype(np.int16), track, np.zeros(len(rows), np.uint8))


def lives(*spans: tuple[int, int]) -> Objects:
    first, last = np.array(spans).T
    nothing = np.zeros(len(spans), np.int64)
    return Objects(nothing, nothing, nothing, first, last)


def test_objects_come_in_the_order_of_their_appearance() -> None:
    found = objects_of(table([[(9, 0)], [(4, 1), (9, 2)], [(-1, 0), (9, 2), (-1, 1)]]), np.arange(3))
    assert found.of_row.tolist() == [0, 1, 0, 2, 0, 3]
    assert found.track_id.tolist() == [9, 4, -1, -1]
    assert found.class_id.tolist() == [2, 1, 0, 1]
    assert found.first.tolist() == [0, 1, 2, 2]
    assert found.last.tolist() == [2, 1, 2, 2]


def test_boxes_of_other_frames_are_no_objects() -> None:
    found = objects_of(table([[(9, 0)], [(4, 1), (9, 2)], [(9, 2)]]), np.array([1]))
    assert found.of_row.tolist() == [-1, 0, 1, -1]
    assert len(objects_of(table([[], []]), np.arange(2))) == 0


def test_values_are_used_again_only_when_they_run_out() -> None:
    spans = lives((0, 1), (0, 4), (2, 3), (3, 9))
    assert values_of(spans, 4, "cam").tolist() == [1, 2, 3, 4]
    assert values_of(spans, 3, "cam").tolist() == [1, 2, 3, 1]


def test_too_many_objects_at_a_time() -> None:
    with pytest.raises(ExportError, match="cam: more than 2 objects at a time"):
        values_of(lives((0, 1), (0, 4), (1, 3)), 2, "cam")


def test_mots_class_numbers_leave_out_the_one_that_means_unknown() -> None:
    names = tuple("abcdefghi")
    assert class_numbers(("Pedestrian", "car", "bus")) == [2, 1, 3]
    assert class_numbers(names) == [3, 4, 5, 6, 7, 8, 9, 11, 12]
    with pytest.raises(ExportError, match="80 classes"):
        class_numbers(tuple(map(str, range(80))))

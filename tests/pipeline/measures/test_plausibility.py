"""Findings from tables: each rule on data that is wrong in its way, and silence on data that is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.measures.fit import Fit
from spotlabel.pipeline.measures.plausibility import Result, findings, ordinal, stride, track_stride
from tests.pipeline.measures.test_fit import SIZE, road, table


def result(per_frame, **changes):
    """A video that is as it should be, but for some columns."""
    boxes = table(per_frame)
    count, frames = len(boxes.xyxy), len(boxes)
    right = Result(
        boxes=boxes,
        ok=np.ones(frames, np.bool_),
        warm_up=np.zeros(frames, np.bool_),
        ask=True,
        selected=np.ones(count, np.bool_),
        fill=np.full(count, 0.6, np.float32),
        believed=np.ones(count, np.bool_),
        dropped=0,
        has_unknown=False,
        fit=Fit(),
        size=SIZE,
    )
    return replace(right, **changes)


def at(*frames, count=24):
    """The cars of the road in some frames only."""
    return [rows if t in frames else [] for t, rows in enumerate(road(count))]


def test_right_data_is_not_talked_about():
    assert findings(result(road())) == []
    assert findings(result([[], [], *road(20)])) == []


@pytest.mark.parametrize(
    ("per_frame", "told"),
    [
        (at(0, 5, 10, 15, 20), "only every 5th frame has boxes.*dataset.annotated=every-5"),
        (at(1, 3, 7, 9, 15), "only every 2nd frame has boxes.*every-2"),
        (at(3, 13, 23), "only every 10th frame.*every-10"),
        (at(0, 4, 7, 15, 20), "5 frames have boxes and their neighbours have none.*annotated=listed"),
    ],
)
def test_frames_that_nobody_looked_at(per_frame, told):
    (line,) = findings(result(per_frame))
    assert np.char.find(line, told.split(".*")[0]) >= 0
    assert line.endswith(told.split(".*")[1])
    assert findings(result(per_frame, ask=False)) == []


@pytest.mark.parametrize("frames", [range(14), range(10, 24), range(6, 14)])
def test_boxes_that_are_cut_off_in_mid_image(frames):
    (line,) = findings(result([[]] * 6 + at(*frames) + [[]] * 6))
    bare = sum(count for count in (6 + frames[0], 29 - frames[-1]) if count >= 10)
    assert f"none in all {bare} frames beyond" in line
    assert line.endswith("set dataset.annotated=listed")


def test_objects_that_leave_by_the_border_or_one_by_one_are_not_cut_off():
    def drive(t):
        return [(1, 180 - t, 20, 199 - t / 10, 36), (2, 40, 60, 70, 76)]

    leaving = [drive(0) if t < 20 else [] for t in range(60)]
    assert findings(result(leaving)) == []
    one = [[(1, 80, 40, 110, 60)] if t < 20 else [] for t in range(60)]
    assert findings(result(one)) == []
    pause = [drive(60) if t < 55 else [] for t in range(60)]
    assert findings(result(pause)) == []


def test_tracks_in_every_third_frame_though_every_frame_has_boxes():
    per_frame = [[row for row in rows if (t + row[0]) % 2 == 0] for t, rows in enumerate(road())]
    (line,) = findings(result(per_frame))
    assert line.startswith("tracks have a box in about every 2nd frame only")


def test_objects_that_come_and_go_are_no_stride():
    assert findings(result(at(2, 3, 4, 5, 12, 13, 14))) == []
    assert findings(result(at(4, 10, 11, 20))) == []
    assert findings(result(at(9, 16))) == []


def test_strides():
    steps = {(0, 5, 10): 5, (0, 5, 15): 1, (0, 4, 8, 20): 4, (0, 3, 5, 7): 1, (): 1}
    assert {filled: stride(np.array(filled, np.int64)) for filled in steps} == steps
    assert track_stride(table(road())) == 1
    assert [ordinal(n) for n in (2, 3, 4, 11, 12, 21, 22, 113)] == [
        "2nd", "3rd", "4th", "11th", "12th", "21st", "22nd", "113th"
    ]  # fmt: skip


def test_no_box_and_what_is_known_then():
    empty = [[] for _ in range(9)]
    assert findings(result(empty)) == ["no box in any of 9 frames: all that is known is background"]
    assert "crowd or ignored" in findings(result(empty, has_unknown=True))[0]
    assert "no box in any of 9 frames, 7 were left out" in findings(result(empty, dropped=7))[0]


def test_masks_without_foreground_or_belief():
    count = len(table(road()).xyxy)
    none = np.zeros(count, np.float32)
    assert findings(result(road(), fill=none)) == [f"no foreground in any of {count} boxes"]
    few = np.arange(count) < 2
    assert findings(result(road(), believed=few))[0].startswith(f"2 of {count} boxes are believed")
    assert findings(result(road(), believed=np.arange(count) < count / 4)) == []


def test_boxes_in_frames_that_do_not_count():
    count = len(table(road()).xyxy)
    nothing = np.zeros(24, np.bool_)
    lines = findings(result(road(), ok=nothing, warm_up=~nothing))
    assert lines == ["all 24 frames are warm-up: their masks are unknown, none is usable"]
    assert findings(result(road(), ok=nothing)) == ["none of 24 frames has a mask that is known"]
    (line,) = findings(result(road(), selected=np.zeros(count, np.bool_)))
    assert line.startswith(f"none of {count} boxes of the chosen classes (masks.classes) lies")
    (line,) = findings(result([*at(0, 1, 2)], ok=np.arange(24) > 4, ask=False))
    assert line.startswith("none of 6 boxes lies in a frame whose mask is known")


def test_boxes_that_are_no_boxes_of_these_images():
    specks = [[(1, 5, 5, 6.5, 9)] for _ in range(6)]
    assert findings(result(specks)) == ["6 of 6 boxes are under 2 px: are they in pixels?"]
    (line,) = findings(result(road(), dropped=30))
    assert line == "30 of 78 boxes are left out, nothing of them is in an image"
    assert findings(result(road(), dropped=4)) == []
    boxes = table(road())
    cut = replace(boxes, flags=np.full(len(boxes.flags), BoxFlag.CLIPPED, np.uint8))
    (line,) = findings(replace(result(road()), boxes=cut))
    assert line.startswith("48 of 48 boxes reach beyond the image")


def test_evidence_everywhere_asks_for_the_camera():
    fit = Fit(area=np.full(14, 100.0), pixels=np.array([900.0, 1000.0]))
    (line,) = findings(result(road(), fit=fit))
    assert line.startswith("the evidence calls 90% of what lies outside the boxes foreground")
    assert findings(result(road(), fit=fit, fixed=False)) == []


@pytest.mark.parametrize(("gain", "when", "first"), [((0.5, -0.6), "before", 0), ((-0.6, 0.5), "after", 2)])
def test_a_shift_names_the_option_with_its_value(gain, when, first):
    fit = Fit(gain=np.array(gain), possible=np.ones(2), movers=10, here=5.0)
    (line,) = findings(result(road(), fit=fit, first_frame=1))
    assert f"fits the boxes of the frame {when} clearly better" in line
    assert f"dataset.first_frame={first}" in line
    assert "dataset" not in findings(result(road(), fit=fit))[0]

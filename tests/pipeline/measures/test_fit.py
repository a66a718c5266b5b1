"""Evidence against boxes: right ones, ones that are a frame off, and ones that are of another picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.measures.fit import PLACES, Fit, fills
from spotlabel.pipeline.measures.movers import Movers, chosen_frames, movers

SIZE = (120, 200)


def table(per_frame, tracked=True):
    """Boxes per frame: lists of (track, x0, y0, x1, y1)."""
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in per_frame])]).astype(np.int64)
    rows = [row for rows in per_frame for row in rows]
    track = np.array([row[0] if tracked else -1 for row in rows], np.int64)
    xyxy = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
    return BoxTable(offsets, xyxy, np.zeros(len(rows), np.int16), track, np.zeros(len(rows), np.uint8))


def road(frames=24, margin=0.0, pace=4.0):
    """Two cars that pass each other; boxes have a margin around them."""
    out = []
    for t in range(frames):
        cars = [(1, 10 + pace * t, 20, 40 + pace * t, 36), (2, 150 - pace * t, 60, 180 - pace * t, 76)]
        out.append([(k, a - margin, b - margin, c + margin, d + margin) for k, a, b, c, d in cars])
    return out


def seen(cars, boxes, usable=None):
    """The fit of boxes to pictures of the cars (ellipses)."""
    moving, fit = movers(boxes, SIZE), Fit()
    weight = np.bincount(moving.frame, minlength=len(boxes))
    weight = weight if weight.any() else np.diff(boxes.offsets)
    for index in chosen_frames(weight, np.ones(len(boxes), np.bool_)).tolist():
        plane = np.zeros(SIZE, np.uint8)
        for _, x0, y0, x1, y1 in cars[index]:
            centre, axes = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
            cv2.ellipse(plane, [round(v) for v in centre], [round(v) for v in axes], 0, 0, 360, 1, -1)
        part = moving.frame == index
        moved = Movers(moving.frame[part], moving.before[part], moving.here[part], moving.after[part])
        fit.look(plane, boxes.at(index), moved)
    return fit


def late(per_frame, by):
    """The same boxes ``by`` frames later."""
    return [per_frame[t - by] if 0 <= t - by < len(per_frame) else [] for t in range(len(per_frame))]


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize("by", [-1, 0, 1])
def test_boxes_a_frame_off(tracked, margin, by):
    fit = seen(road(), table(late(road(margin=margin), by), tracked))
    assert fit.movers >= 20
    assert fit.shift() == by
    assert fit.place() == ""


def test_boxes_too_loose_to_tell_are_left_in_peace():
    for by in (-1, 0, 1):
        assert seen(road(), table(late(road(margin=6), by))).shift() == 0


def test_nothing_is_said_of_a_shift_where_nothing_moves_or_everything_is_foreground():
    assert seen(road(pace=0.2), table(late(road(pace=0.2), 1))).shift() == 0
    fit, boxes = Fit(), table(late(road(), 1))
    for index in range(2, 20):
        fit.look(np.ones(SIZE, np.uint8), boxes.at(index), movers(boxes, SIZE))
    assert fit.shift() == 0
    assert fit.outside() == pytest.approx(1)


def test_nothing_is_said_of_evidence_that_ends_at_wrong_boxes():
    """As of a labeler that looks inside boxes only."""
    wrong, fit = table(late(road(), 1)), Fit()
    moving = movers(wrong, SIZE)
    for index in range(2, 20):
        plane = np.zeros(SIZE, np.uint8)
        for x0, y0, x1, y1 in wrong.at(index).astype(int):
            plane[y0:y1, x0:x1] = 1
        part = moving.frame == index
        fit.look(
            plane,
            wrong.at(index),
            Movers(moving.frame[part], *(a[part] for a in (moving.before, moving.here, moving.after))),
        )
    assert (fit.shift(), fit.place()) == (0, "")


@pytest.mark.parametrize("name", PLACES)
def test_boxes_of_another_picture(name):
    here = [[(0, 62 + t, 40, 78 + t, 50)] for t in range(8)]
    inverse = {
        "turned by 90 degrees clockwise": "turned by 90 degrees counterclockwise",
        "turned by 90 degrees counterclockwise": "turned by 90 degrees clockwise",
    }
    undo = PLACES[inverse.get(name, name)]
    if name.startswith(("multiplied", "divided")):
        verb, by = name.rsplit(" by ", 1)
        undo = PLACES[f"{'divided' if verb == 'multiplied' else 'multiplied'} by {by}"]
    if name.startswith("taken"):
        scale = 100 / np.array([SIZE[1], SIZE[0], SIZE[1], SIZE[0]])
        undo = lambda boxes, size: boxes * scale  # noqa: E731
    size = SIZE[::-1] if "90" in name else SIZE
    wrong = [[(row[0], *undo(np.array([row[1:]], float), size)[0]) for row in rows] for rows in here]
    assert seen(here, table(wrong)).place() == name
    assert seen(here, table(here)).place() == ""


def test_fill_by_hand():
    plane = np.zeros((4, 6), np.uint8)
    plane[1:3, 2:5] = 1
    sums = cv2.integral(plane)
    inside, area = fills(sums, np.array([[0, 0, 6, 4], [2, 1, 4, 3], [4, 2, 9, 9], [7, 0, 9, 2]], float))
    assert inside.tolist() == [6, 4, 1, 0]
    assert area.tolist() == [24, 4, 4, 0]


def test_frames_are_spread_evenly():
    weight = np.array([0, 3, 1, 0, 2, 2, 5])
    usable = np.array([True, True, True, True, False, True, True])
    assert chosen_frames(weight, usable, 3).tolist() == [1, 5, 6]
    assert chosen_frames(weight, usable, 10).tolist() == [1, 2, 5, 6]
    assert chosen_frames(weight * 0, usable, 3).tolist() == []

"""What stands in front of the traffic, and that a student does not draw over it."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame, Evidence, EvidenceKind
from spotlabel.labelers.learned.fused import put_together
from spotlabel.labelers.learned.fusion import Trust
from spotlabel.labelers.learned.in_front import in_front
from spotlabel.labelers.learned.other import Asked, Found
from spotlabel.labelers.learned.segmenter import Segmenter
from tests.helpers.clips import Replayed
from tests.helpers.segmenters import segmenter

SIZE = (40, 80)
SIGN = np.s_[8:30, 38:44]


def passing(starts: list[int | None], sign: bool = True) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes of a car, 20 x 30 px, at each of some places; what is seen of it around a sign."""
    made = []
    for start in starts:
        mask, boxes = np.zeros(SIZE, np.bool_), np.zeros((0, 4), np.float32)
        if start is not None:
            mask[10:30, start : start + 30] = True
            boxes = np.array([[start, 10, start + 30, 30]], np.float32)
        if sign:
            mask[SIGN] = False
        made.append((boxes, mask))
    return made


ONCE = [*range(2, 50, 4), None]


def test_a_sign_before_which_cars_were_never_seen_is_in_front():
    found = in_front(passing(ONCE * 3), SIZE)
    expected = np.zeros(SIZE, np.bool_)
    expected[10:30, 38:44] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "frames",
    [passing(ONCE * 2), passing([20] * 90), passing([20, None] * 45), passing(ONCE * 3, sign=False)],
    ids=["passed twice", "one that stands long", "its every other frame annotated", "no sign"],
)
def test_what_was_passed_twice_or_seen_covered_is_not(frames):
    assert not in_front(frames, SIZE).any()


def test_boxes_of_which_nothing_is_said_do_not_count():
    nothing = [(boxes, np.zeros(SIZE, np.bool_)) for boxes, _ in passing(ONCE * 3)]
    assert not in_front(nothing, SIZE).any()
    assert not in_front([(boxes, None) for boxes, _ in passing(ONCE * 3)], SIZE).any()


def test_what_stands_there_while_the_scene_is_not_known_does_not_come_again():
    frames = passing([20] * 40)
    blinking = [(boxes, None if index % 5 == 0 else mask) for index, (boxes, mask) in enumerate(frames)]
    assert not in_front(blinking, SIZE).any()


class _Says:
    """The other labeler."""

    kind, neutral = EvidenceKind.BINARY, 0

    def __init__(self, masks: list[np.ndarray]) -> None:
        self._masks = masks

    def label(self, clip):
        for mask, _ in zip(self._masks, clip, strict=True):
            yield Evidence(mask)


class _Red(Replayed):
    """Every frame is red all over: the network sees an object in every pixel of a box."""

    size, step = SIZE, 1

    def __init__(self, boxes: list[np.ndarray]) -> None:
        red = np.zeros((*SIZE, 3), np.uint8)
        red[:] = (40, 40, 200)
        self.frames = [ClipFrame(number, red, some) for number, some in enumerate(boxes, 1)]


@pytest.mark.parametrize("exact", [False, True])
def test_a_student_leaves_the_sign_out_and_draws_what_is_parked_behind(exact):
    parked = np.array([[34, 12, 60, 30]], np.float32)
    frames = passing(ONCE * 3)
    clip = _Red([np.concatenate([boxes, parked]) if len(boxes) else boxes for boxes, _ in frames])
    found = Found(_Says([mask for _, mask in frames]), clip)
    hidden = in_front(frames, SIZE)
    student, trust = Segmenter(segmenter()), Trust(network=True, evidence=exact)
    before, after = (
        [
            one.values > 127
            for one in put_together(clip, found, Asked(student, {}), trust, adds_only=exact, hidden=some)
        ]
        for some in (None, hidden)
    )
    alone = [index for index, (boxes, _) in enumerate(frames) if len(boxes) and boxes[0, 2] < 34]
    over = [
        index
        for index, (boxes, _) in enumerate(frames)
        if len(boxes) and boxes[0, 0] < 34 and boxes[0, 2] > 48
    ]
    assert alone
    assert over
    for index in alone:  # nothing is said of the parked car's box: it stays whole
        assert after[index][12:30, 34:60].all()
        np.testing.assert_array_equal(after[index], before[index])
    for index in over:
        x0 = int(frames[index][0][0, 0])
        assert before[index][10:12, 38:44].all()
        assert not after[index][10:12, 38:44].any()
        assert after[index][10:12, x0:38].all()

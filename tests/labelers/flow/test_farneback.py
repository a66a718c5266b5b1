"""Dense optical flow: known translations, gaps between frames, the borders of the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.flow.dense import frame_pairs
from spotlabel.labelers.flow.farneback import Farneback, FarnebackSettings
from spotlabel.labelers.flow.released import ReleasedFlow
from tests.helpers.clips import ListClip, run, texture, values

PIXEL = 16  # steps of motion evidence per px


def shifted(dx: int, dy: int, count: int = 2, height: int = 120, width: int = 160) -> list[np.ndarray]:
    """A texture that moves by (dx, dy) px per frame."""
    big = texture(height + 80, width + 80)
    views = [big[40 - i * dy : 40 - i * dy + height, 40 - i * dx : 40 - i * dx + width] for i in range(count)]
    return [cv2.cvtColor(view, cv2.COLOR_GRAY2BGR) for view in views]


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, 2), (3, 0), (-3, 4)])
def test_flow_measures_a_known_translation(dx, dy):
    speed = values(run(Farneback, ListClip(shifted(dx, dy))))[:, 24:-24, 24:-24] / PIXEL
    assert np.median(np.abs(speed - np.hypot(dx, dy))) < 1 / PIXEL
    assert np.percentile(np.abs(speed - np.hypot(dx, dy)), 95) < 0.1


def test_equal_frames_have_no_motion_up_to_the_edges():
    frame = cv2.cvtColor(np.random.default_rng(1).integers(0, 256, (90, 120), np.uint8), cv2.COLOR_GRAY2BGR)
    assert not values(run(Farneback, ListClip([frame, frame.copy(), frame.copy()]))).any()


def test_border_zero_is_opencvs_plain_flow():
    frames = shifted(2, 1)
    before, after = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
    flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    expected = np.minimum(np.rint(np.hypot(flow[..., 0], flow[..., 1]) * PIXEL), 255)
    got = values(run(Farneback, ListClip(frames), FarnebackSettings(border=0)))[1]
    assert np.abs(got - expected).max() <= 1  # a speed on the edge between two steps may round either way
    assert (got == expected).mean() > 0.999


def test_speed_over_a_gap_is_shared_among_its_frames():
    frames = shifted(3, 0)
    whole = values(run(Farneback, ListClip(frames, numbers=[7, 8])))[1]
    half = values(run(Farneback, ListClip(frames, numbers=[7, 9])))[1]
    subsampled = values(run(Farneback, ListClip(frames, numbers=[7, 9], step=2)))[1]
    assert np.abs(half - whole / 2).max() <= 1
    assert np.median(half) == 24
    assert np.array_equal(subsampled, whole)


def test_first_frame_is_paired_with_the_second_swapped():
    frames = shifted(2, 0, count=3)
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    pairs = list(frame_pairs(ListClip(frames)))
    expected = [(1, 0), (0, 1), (1, 2)]
    assert len(pairs) == 3
    for pair, (start, end) in zip(pairs, expected, strict=True):
        assert pair is not None
        assert np.array_equal(pair.start, grey[start])
        assert np.array_equal(pair.end, grey[end])


@pytest.mark.parametrize("labeler", [Farneback, ReleasedFlow])
def test_one_frame_says_nothing_about_motion(labeler):
    (evidence,) = run(labeler, ListClip(shifted(0, 0, count=1)))
    assert evidence.warm_up
    assert evidence.values.shape == (120, 160)
    assert not evidence.values.any()

"""What lies far from a frame: which views are kept, where they are, and what they show."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.egomotion.background import background_differences, reference_frames
from spotlabel.labelers.egomotion.camera import moved
from spotlabel.labelers.egomotion.corners import Tracking, quickly_tracked_corners
from spotlabel.labelers.egomotion.distant import Timeline
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut, EgoflowCutSettings
from spotlabel.labelers.egomotion.sheet import Patch
from spotlabel.labelers.egomotion.window import views, windows
from spotlabel.labelers.errors import LabelerError
from tests.helpers.clips import run
from tests.helpers.moving_scenes import HEIGHT, RESTING, WIDTH, Scene, turning

PAN = turning(0.3, pan=(1.5, 1.0))
COUNT = 15


def timeline(clip: Scene, reach: int, far: int) -> Timeline:
    return Timeline(clip, reach, far, 0.05, quickly_tracked_corners)


@pytest.mark.parametrize(("reach", "far"), [(2, 6), (4, 7), (6, 11), (1, 20), (3, 3), (3, 0)])
def test_views_beyond_reach_are_known_with_the_motion_to_them(reach, far):
    scene = Scene(PAN, count=COUNT)
    plain = list(views(scene, 0.05, quickly_tracked_corners))
    whole = list(windows(iter(plain), COUNT))
    line = timeline(scene, reach, far)
    for index, _ in enumerate(windows(line, reach)):
        found = {one.view.frame.number: one.homography for one in line.around(index)}
        wanted = [other for other in range(0, COUNT, max(1, reach // 2)) if reach < abs(other - index) <= far]
        assert sorted(found) == wanted
        for other, homography in found.items():
            assert homography == pytest.approx(whole[index].motion_to(other).homography, rel=1e-6, abs=1e-6)


def test_the_first_pass_yields_the_views_of_the_second():
    scene = Scene(PAN, count=COUNT)
    for ahead in (0, 4, 40):
        for one, other in zip(
            timeline(scene, ahead, 3), views(scene, 0.05, quickly_tracked_corners), strict=True
        ):
            assert one.frame.number == other.frame.number
            assert np.array_equal(one.frame.image, other.frame.image)
            assert np.array_equal(one.background, other.background)
            assert np.array_equal(one.arrival.homography, other.arrival.homography)
            assert one.gap == other.gap


@pytest.mark.parametrize(("reach", "far"), [(4, 12), (6, 13), (1, 9), (5, 0)])
def test_few_views_are_held_however_long_the_clip(reach, far):
    scene, most = Scene(RESTING, count=40), 0
    line = timeline(scene, reach, far)
    for index, window in enumerate(windows(line, reach)):
        line.around(index)
        most = max(most, len({id(view) for view in (*window.views, *line._kept.values())}))
        assert len(line._steps) <= 2 * max(reach, far) + 1
    held = EgoflowCutSettings(reach=reach, far=far).frames_held
    assert held - 1 <= most <= held


def test_a_place_that_opens_late_is_seen_by_frames_far_away_alone():
    scene = Scene(PAN, drive=(2.0, 0.0), count=40)

    def seen(far: int) -> float:
        settings = EgoflowCutSettings(reach=6, far=far)
        return float(np.mean([item.figures["seen"][0] for item in run(EgoflowCut, scene, settings)]))

    assert seen(0) < 0.5
    assert seen(30) > seen(12) + 0.1 > seen(0) + 0.2


def test_what_near_frames_have_shown_no_far_frame_changes():
    scene = Scene(turning(0.0, pan=(4.0, 2.0)), drive=(4.0, 0.0), count=21)
    line, patch = timeline(scene, 4, 10), Patch(np.s_[40:140, 40:220], (100, 180))
    told = 0
    for index, window in enumerate(windows(line, 4)):
        near, far = reference_frames(window, 4), line.around(index)
        (alone,) = background_differences(window.view, [patch], near)
        (both,) = background_differences(window.view, [patch], near, far)
        assert (both.seen | ~alone.seen).all()
        around = cv2.erode(alone.seen.view(np.uint8), np.ones((5, 5))) > 0  # a median is taken of 5 x 5 px
        assert np.array_equal(both.difference[around], alone.difference[around])
        told += np.count_nonzero(both.seen & ~alone.seen)
    assert told > 1000


def yawing(degrees: float) -> Tracking:
    """The tracking of a camera that turns so far to the left with each frame; it sees 60 degrees."""
    middle, turn = np.array([WIDTH / 2, HEIGHT / 2]), np.radians(degrees)
    lens = np.array(
        [[np.sqrt(3) * middle[0], 0, middle[0]], [0, np.sqrt(3) * middle[0], middle[1]], [0, 0, 1]]
    )
    turned = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    places = np.mgrid[0:WIDTH:12, 0:HEIGHT:12].reshape(2, -1).T.astype(np.float32)
    arrived = moved(places, lens @ turned @ np.linalg.inv(lens))
    return lambda start, end, background: (places, arrived)


@pytest.mark.parametrize("degrees", [15, -15])
def test_a_camera_that_has_turned_round_sees_nothing_of_what_was_in_front(degrees):
    scene, patch = Scene(RESTING, count=15), Patch(np.s_[0:HEIGHT, 0:WIDTH], (HEIGHT, WIDTH))
    line = Timeline(scene, 2, 14, 0.05, yawing(degrees))
    for index, window in enumerate(windows(line, 2)):
        distant = line.around(index)
        assert len(distant) == 15 - len(window.views)
        for one in distant:
            (behind,) = background_differences(window.view, [patch], [], [one])
            assert behind.seen.any() == (15 * abs(one.view.frame.number - index) < 60)


class Vanishing(Scene):
    """A scene of which one of the passes lacks a frame."""

    lacks, lacks_ahead = 99, 99

    def __iter__(self):
        return iter(self.frames[: self.lacks] + self.frames[self.lacks + 1 :])

    def sampled(self, every):
        return iter(self.frames[: self.lacks_ahead] + self.frames[self.lacks_ahead + 1 :])


@pytest.mark.parametrize(
    ("which", "frame", "told"),
    [("lacks_ahead", 5, 5), ("lacks_ahead", 11, 11), ("lacks", 5, 6), ("lacks", 11, 11)],
)
def test_passes_that_differ_are_an_error(which, frame, told):
    scene = Vanishing(PAN, count=12)
    setattr(scene, which, frame)
    with pytest.raises(LabelerError, match=rf"frame {told}: was read in one of two passes only"):
        list(timeline(scene, 3, 9))


class Watched(Scene):
    """A scene that counts the passes that have come to an end."""

    ended = 0

    def __iter__(self):
        try:
            yield from self.frames
        finally:
            self.ended += 1

    def sampled(self, every):
        return iter(self)


@pytest.mark.parametrize("far", [3, 9])
def test_an_error_ends_both_passes_however_long_it_is_kept(far):
    scene = Watched(RESTING, count=12)
    line = timeline(scene, 3, far)
    with pytest.raises(ZeroDivisionError):
        sum(1 // (2 - index) for index, _ in enumerate(windows(line, 3)))
    assert scene.ended == 1 + (far > 3)

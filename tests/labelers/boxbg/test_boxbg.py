"""``boxbg`` on rendered squares with exact masks: one test for each thing it was built for."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.boxbg.background import fit_background
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.boxbg.registration import Registrar
from spotlabel.labelers.boxbg.samples import collect_samples
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from tests.helpers.boxbg_videos import HEIGHT, WIDTH, Actor, Video, crosses, iou, labelled
from tests.helpers.clips import ListClip, run, texture


def test_moving_objects_are_cut_out_of_loose_boxes() -> None:
    video = Video(Actor(crosses))
    assert iou(labelled(video), video) > 0.95


def test_a_car_that_stands_most_of_the_time_is_never_absorbed() -> None:
    def stands(index: int) -> tuple[int, int] | None:
        return (60, 50) if index < 45 else None

    video = Video(Actor(crosses), Actor(stands))
    masks = labelled(video)
    for index in (0, 20, 44):
        assert iou(masks, video, slice(index, index + 1)) > 0.9
    assert not any(mask[50:70, 62:88].mean() > 0.9 for mask in masks[46:60:5])  # and it leaves no ghost


def test_background_that_was_never_seen_is_filled_from_around() -> None:
    def parked(_: int) -> tuple[int, int]:
        return (100, 80)

    video = Video(Actor(crosses), Actor(parked))
    masks = labelled(video)
    found, truth = np.stack(masks)[:, 76:104, 96:134], np.stack(video.truth)[:, 76:104, 96:134]
    assert (found & truth).sum() / (found | truth).sum() > 0.85  # the box alone would have .56


def test_shake_is_taken_out() -> None:
    video = Video(Actor(crosses, (50, 50, 50)), shake=4.0, frames=80, tiles=250)
    steady, shaken = labelled(video), labelled(video, stabilise=False)
    assert iou(steady, video) > 0.85
    assert iou(steady, video) > iou(shaken, video) + 0.01


def drifting(video: Video, index: int) -> np.ndarray:
    """The camera wanders by 24 px and comes back: the frame's picture, moved."""
    matrix = np.array([[1, 0, 24 * np.sin(index / 13)], [0, 1, 6 * np.cos(index / 7) - 6]])
    size, border = (WIDTH, HEIGHT), cv2.BORDER_REFLECT
    return cv2.warpAffine(video.frames[index].image, matrix, size, borderMode=border)


def test_a_wandering_camera_and_frames_of_elsewhere_do_not_poison_the_background() -> None:
    video, still = Video(frames=60, tiles=250), Video(frames=2, tiles=250)
    elsewhere = cv2.merge([texture(HEIGHT, WIDTH, seed) for seed in (7, 8, 9)])
    for index, frame in enumerate(video.frames):
        image = elsewhere if index % 3 == 1 else drifting(video, index)
        video.frames[index] = ClipFrame(index, image, frame.boxes)
    samples = collect_samples(video, 60, 1)
    background, registrations = fit_background(samples, BoxbgSettings())
    lost = [index for index, registration in enumerate(registrations) if registration is None]
    assert lost == list(range(1, 60, 3))
    anchor = int(
        np.argmin([registration.shift if registration else np.inf for registration in registrations])
    )
    exact = Registrar(still.frames[0].image, np.ones(video.size, bool), True)
    registration = exact.register(video.frames[anchor].image, samples.visibility[anchor])
    truth = cv2.warpAffine(still.frames[0].image, registration.matrix, (WIDTH, HEIGHT))
    middle = np.s_[30:90, 50:110]
    assert np.abs(background.at(0)[middle].astype(int) - truth[middle]).mean() < 4


def test_frames_of_elsewhere_are_not_labelled(caplog: pytest.LogCaptureFixture) -> None:
    video = Video(Actor(crosses), tiles=250)
    elsewhere = cv2.merge([texture(HEIGHT, WIDTH, seed) for seed in (7, 8, 9)])
    for index in range(30, 35):
        video.frames[index] = ClipFrame(index, elsewhere, video.frames[index].boxes)
    found = list(Boxbg(BoxbgSettings()).label(video))
    assert [index for index, item in enumerate(found) if item.warm_up] == list(range(30, 35))
    assert not np.stack([item.values for item in found[30:35]]).any()
    assert "boxbg: the camera shows something else in 5 of 60 frames (first: 30)" in caplog.text


@pytest.mark.parametrize("gain", [lambda i: 1 + 0.25 * np.sin(i / 9), lambda i: 0.7 + 0.01 * i])
def test_exposure_is_taken_out(gain: Callable[[int], float]) -> None:
    video = Video(Actor(crosses), gain=gain)
    assert iou(labelled(video), video) > 0.93


def test_shadow_inside_the_box_is_background() -> None:
    """Boxes that hold object and shadow; elsewhere in the video shadows reach out of boxes."""
    video = Video(Actor(crosses), shadow=0.5, frames=90)
    masks = labelled(video)
    assert iou(masks, video) > 0.93
    boxes = np.zeros((len(masks), HEIGHT, WIDTH), bool)
    for plane, frame in zip(boxes, video.frames, strict=True):
        for x0, y0, x1, y1 in frame.boxes.astype(int):
            plane[max(y0, 0) : y1, max(x0, 0) : x1] = True
    beside = boxes & ~np.stack(video.truth)
    assert (np.stack(masks) & beside).sum() / beside.sum() < 0.12


class SoftlyShaded(Video):
    """Patterned objects in wide boxes, on ground that they shade a little: no shadow leaves any box."""

    def __init__(self) -> None:
        super().__init__(frames=60)
        rng = np.random.default_rng(5)
        coat = rng.integers(20, 236, (5, 8, 3)).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
        for index, frame in enumerate(self.frames):
            x, y = 12 + (5 * index) % (WIDTH - 60), 15 + 27 * (index // 20)
            image = frame.image.astype(np.float32)
            image[y : y + 26, x - 6 : x + 38] *= 0.8
            image[y : y + 20, x : x + 32] = coat
            self.truth[index][y : y + 20, x : x + 32] = True
            box = np.array([[x - 10, y - 10, x + 42, y + 30]], np.float32)
            self.frames[index] = ClipFrame(index, np.rint(image).astype(np.uint8), box)


def test_soft_shadow_that_never_leaves_its_box_is_background() -> None:
    video = SoftlyShaded()
    masks, without = labelled(video), labelled(video, plain_excess=100.0)
    assert iou(masks, video) > 0.9
    assert iou(without, video) < iou(masks, video) - 0.05


def test_objects_that_are_all_plain_and_dark_are_no_shadow() -> None:
    video = Video(Actor(crosses, (80, 80, 80)), frames=80)
    assert iou(labelled(video), video) > 0.85


def test_the_same_clip_gives_the_same_bytes() -> None:
    video = Video(Actor(crosses), shake=2.0, frames=20)
    first, second = ([item.values for item in Boxbg(BoxbgSettings()).label(video)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_evidence_keeps_away_from_where_there_is_no_box() -> None:
    video = Video(Actor(crosses), frames=12)
    for item, frame in zip(Boxbg(BoxbgSettings()).label(video), video.frames, strict=True):
        x0, y0, x1, y1 = frame.boxes[0].astype(int)
        values = item.values.copy()
        values[max(y0 - 14, 0) : y1 + 14, max(x0 - 14, 0) : x1 + 14] = 0
        assert not values.any()


def test_frames_without_boxes_and_short_clips() -> None:
    video = Video(frames=3)
    assert not np.stack([item.values for item in Boxbg(BoxbgSettings()).label(video)]).any()
    one = Video(Actor(crosses), frames=1)
    (item,) = Boxbg(BoxbgSettings()).label(one)
    assert item.values.shape == (HEIGHT, WIDTH)
    none = Video(frames=0)
    assert list(Boxbg(BoxbgSettings()).label(none)) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 40), (16, 16)])
def test_frames_of_any_size_are_labelled(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    clip = ListClip([random.integers(0, 256, (*size, 3), np.uint8) for _ in range(5)])
    boxes = np.array([[-9, -9, size[1] / 2, 99], [size[1] + 1, 0, size[1] + 9, 9]], np.float32)
    clip.frames = [ClipFrame(frame.number, frame.image, boxes) for frame in clip.frames]
    assert [item.values.shape for item in run(Boxbg, clip)] == [size] * 5

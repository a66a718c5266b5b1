"""Labeler ``egoflow``: the camera's motion taken off."""

from __future__ import annotations

import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.egomotion import residual, speed
from spotlabel.labelers.egomotion.egoflow import Egoflow
from spotlabel.labelers.egomotion.speed import EgoflowSettings
from spotlabel.labelers.egomotion.window import View
from spotlabel.labelers.flow.farneback import Farneback
from tests.helpers.clips import images, run, values
from tests.helpers.moving_scenes import HEIGHT, RESTING, WIDTH, Scene, leaning, turning

PIXEL = 16
FAST = 0.75
CAMERAS = {
    "pan": turning(0.0, pan=(4.0, 2.0)),
    "zoom": turning(0.0, zoom=0.03),
    "rotation": turning(2.0),
    "leaning": leaning,
}


def masks(evidence, threshold=FAST):
    return [item.values > threshold * PIXEL for item in evidence]


@pytest.mark.parametrize("camera", sorted(CAMERAS))
@pytest.mark.parametrize("flow", ["farneback", "dis"])
def test_what_the_camera_moves_is_not_foreground(camera, flow):
    scene = Scene(CAMERAS[camera])
    plain = scene.iou(masks(run(Farneback, scene)))
    ours = scene.iou(masks(run(Egoflow, scene, EgoflowSettings(flow=flow))))
    filled = scene.iou([np.ones(scene.size, bool)] * len(scene.frames))
    assert ours > max(plain, filled) + 0.03


@pytest.mark.parametrize("camera", sorted(CAMERAS))
def test_speed_is_that_over_the_ground(camera):
    scene = Scene(CAMERAS[camera], drive=(3.0, 0.0))
    for item, truth in list(zip(run(Egoflow, scene), scene.truth, strict=True))[1:-1]:
        core = cv2.erode(truth.astype(np.uint8), np.ones((15, 15))) > 0
        assert np.median(item.values[core]) / PIXEL == pytest.approx(3.0, rel=0.2)


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("camera", [RESTING, turning(0.0, pan=(0.03, 0.02))], ids=["fixed", "trembling"])
def test_a_camera_at_rest_leaves_plain_flow_bit_for_bit(camera, missing):
    scene = Scene(camera, drive=(2.0, 0.0))
    scene.frames = [replace(frame, number=missing * frame.number) for frame in scene.frames]
    for plain, ours, frame in zip(run(Farneback, scene), run(Egoflow, scene), scene.frames, strict=True):
        x0, y0, x1, y1 = frame.boxes[0].astype(int)
        near = np.s_[y0 - 24 : y1 + 24, x0 - 24 : x1 + 24]
        assert plain.values[near].max() > PIXEL
        assert np.array_equal(ours.values[near], plain.values[near])
        away = ours.values.copy()
        away[y0 - 24 : y1 + 26, x0 - 24 : x1 + 26] = 0
        assert not away.any()


def test_a_real_camera_at_rest_leaves_plain_flow(shared_data):
    files = [f"in{number:06}.jpg" for number in range(900, 906)]
    pictures = images(shared_data / "cdnet" / "baseline" / "highway" / "input", files)
    vehicle = np.array([[90, 60, 260, 200]], np.float32)
    clip = Scene(count=1)
    clip.frames = [ClipFrame(number, picture, vehicle) for number, picture in enumerate(pictures)]
    clip.size = pictures[0].shape[:2]
    for plain, ours in zip(run(Farneback, clip), run(Egoflow, clip), strict=True):
        assert np.array_equal(ours.values[60:200, 90:260], plain.values[60:200, 90:260])


def test_exposure_drift_moves_nothing():
    scene = Scene(turning(0.0, pan=(3.0, 0.0)), gain=0.15)
    steady = Scene(turning(0.0, pan=(3.0, 0.0)))
    assert scene.iou(masks(run(Egoflow, scene))) > steady.iou(masks(run(Egoflow, steady))) - 0.05


@pytest.mark.parametrize("camera", sorted(CAMERAS))
def test_slow_vehicles_are_told_from_standing_ones(camera):
    slow, standing = (Scene(CAMERAS[camera], drive=(pace, 0.0)) for pace in (0.7, 0.0))
    for scene, pace in ((slow, 0.7), (standing, 0.0)):
        evidence = values(run(Egoflow, scene))[1:-1] / PIXEL
        found = [np.median(item[truth]) for item, truth in zip(evidence, scene.truth[1:-1], strict=True)]
        assert np.mean(found) == pytest.approx(pace, abs=0.2)


def test_a_vehicle_that_starts_moves_from_then_on():
    scene = Scene(CAMERAS["pan"], drive=(3.0, 0.0), count=8, starts=4)
    found = [
        np.median(item.values[truth]) / PIXEL
        for item, truth in zip(run(Egoflow, scene), scene.truth, strict=True)
    ]
    assert max(found[:5]) < 0.5
    assert min(found[5:7]) > 2


def test_parallax_is_no_motion(monkeypatch):
    # The vehicle is on a bridge, which a travelling camera sees pass faster than the ground below.
    def paces(drive):
        scene = Scene(turning(0.0, pan=(1.0, 0.0)), drive=(drive, 0.0), count=5, bridge=4.0)
        evidence = values(run(Egoflow, scene)) / PIXEL
        return [np.median(item[truth]) for item, truth in zip(evidence, scene.truth, strict=True)]

    for drive in (0.0, 3.0, -3.0):
        assert paces(drive) == pytest.approx([abs(drive)] * 5, abs=0.3)
    monkeypatch.setattr(speed, "subtract_background_flow", lambda flow, *_: flow)
    assert min(paces(0.0)) > 3


def test_crowded_frames_are_worked_on_coarsely(monkeypatch):
    sizes, dense = [], residual.dense_flow
    monkeypatch.setattr(
        residual, "dense_flow", lambda *given: sizes.append(given[0].start.size) or dense(*given)
    )
    scene = Scene(CAMERAS["pan"])
    fine, coarse = (run(Egoflow, scene, EgoflowSettings(most_pixels=most)) for most in (300_000, 10_000))
    assert max(sizes[-5:]) < 20_000 < min(sizes[:5])
    for item, truth in zip(coarse, scene.truth, strict=True):
        assert np.median(item.values[truth]) / PIXEL == pytest.approx(3.0, abs=0.6)
    assert scene.iou(masks(coarse)) > scene.iou(masks(fine)) - 0.1


def test_boxes_that_hide_the_background_mean_plain_flow_and_a_warning(caplog):
    scene = Scene(turning(0.0, pan=(4.0, 0.0)), count=3)
    everything = np.array([[0, 0, WIDTH, HEIGHT]], np.float32)
    scene.frames = [ClipFrame(f.number, f.image, everything) for f in scene.frames]
    with caplog.at_level(logging.WARNING, logger="spotlabel"):
        evidence = values(run(Egoflow, scene, EgoflowSettings()))
    assert "3 of 3 frames (first: 0)" in caplog.text
    assert np.array_equal(evidence, values(run(Farneback, scene)))
    ground = ~(scene.truth[0] | scene.truth[1] | scene.truth[2])
    ground[:30], ground[-30:], ground[:, :30], ground[:, -30:] = False, False, False, False
    assert np.median(evidence[1][ground]) / PIXEL == pytest.approx(4.0, abs=0.3)


def test_no_warning_where_the_background_tells(caplog):
    with caplog.at_level(logging.WARNING, logger="spotlabel"):
        run(Egoflow, Scene(CAMERAS["pan"], count=3))
    assert not caplog.records


def test_one_frame_is_warm_up_and_frames_without_boxes_are_empty():
    (only,) = run(Egoflow, Scene(count=1))
    assert only.warm_up
    assert not only.values.any()
    scene = Scene(CAMERAS["pan"], count=3)
    scene.frames = [ClipFrame(f.number, f.image, np.zeros((0, 4), np.float32)) for f in scene.frames]
    evidence = run(Egoflow, scene)
    assert not any(item.warm_up for item in evidence)
    assert not values(evidence).any()


def test_speed_over_missing_frames_is_shared():
    scene, gappy = Scene(CAMERAS["pan"], count=2), Scene(CAMERAS["pan"], count=2)
    gappy.frames = [replace(frame, number=2 * frame.number) for frame in gappy.frames]
    whole, half = values(run(Egoflow, scene)), values(run(Egoflow, gappy))
    core = scene.truth[1]
    assert np.median(half[1][core]) == pytest.approx(np.median(whole[1][core]) / 2, abs=1)


def test_same_evidence_twice_and_with_any_number_of_threads():
    scene, threads, runs = Scene(CAMERAS["zoom"], count=4), cv2.getNumThreads(), []
    try:
        for count in (1, 1, 2):
            cv2.setNumThreads(count)
            runs.append(values(run(Egoflow, scene)))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("camera", [RESTING, CAMERAS["zoom"]], ids=["fixed", "moving"])
def test_coarser_frames_are_neither_made_nor_needed(camera, monkeypatch):
    scene = Scene(camera, count=4)
    before = values(run(Egoflow, scene))
    monkeypatch.setattr(View, "levels", property(lambda view: pytest.fail("made")))
    assert np.array_equal(values(run(Egoflow, scene)), before)

"""Labeler ``egoflow``: the camera's motion taken off."""

from __future__ import annotations

import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest

from labelers.base import ClipFrame
from labelers.egoflow import Egoflow
from labelers.egomotion.camera import camera_motion, moved, seen_from, unboxed
from labelers.egomotion.residual import without_background
from labelers.egomotion.speed import EgoflowSettings
from labelers.egomotion.window import windows
from labelers.farneback import Farneback
from tests.clips import run, texture, values
from tests.moving_scenes import HEIGHT, WIDTH, Scene, leaning, turning

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
    assert ours > max(plain, filled) + 0.04


@pytest.mark.parametrize("camera", sorted(CAMERAS))
def test_speed_is_that_over_the_ground(camera):
    scene = Scene(CAMERAS[camera], drive=(3.0, 0.0))
    for item, truth in list(zip(run(Egoflow, scene), scene.truth, strict=True))[1:-1]:
        core = cv2.erode(truth.astype(np.uint8), np.ones((15, 15))) > 0
        assert np.median(item.values[core]) / PIXEL == pytest.approx(3.0, rel=0.2)


def test_a_camera_at_rest_leaves_plain_flow():
    scene = Scene(drive=(2.0, 0.0))
    window = list(windows(scene, 3, 0.1))[3]
    assert all(window.motion_to(index).still for index in range(len(window.views)))
    plain, ours = run(Farneback, scene), run(Egoflow, scene)
    for before, now, truth in zip(plain[1:-1], ours[1:-1], scene.truth[1:-1], strict=True):
        core = cv2.erode(truth.astype(np.uint8), np.ones((15, 15))) > 0
        difference = np.abs(before.values[core].astype(float) - now.values[core]) / PIXEL
        assert np.median(difference) < 0.1
    assert scene.iou(masks(ours)) > scene.iou(masks(plain)) - 0.02


def test_backward_flow_of_a_camera_at_rest_is_farnebacks():
    # The last frame has neighbours on one side only, so its speed is one flow and can be compared exactly.
    scene = Scene(drive=(3.0, 0.0), count=2)
    last = run(Egoflow, scene, EgoflowSettings(far=1))[-1].values
    swapped = Scene(drive=(3.0, 0.0), count=2)
    swapped.frames = [replace(frame, number=i) for i, frame in enumerate(reversed(scene.frames))]
    plain = run(Farneback, swapped)[-1].values  # from the second frame to the first, on the second's grid
    x0, y0, x1, y1 = scene.frames[1].boxes[0].astype(int)
    assert np.abs(last[y0:y1, x0:x1].astype(int) - plain[y0:y1, x0:x1]).max() <= 1


def test_exposure_drift_moves_nothing():
    scene = Scene(turning(0.0, pan=(3.0, 0.0)), gain=0.15)
    steady = Scene(turning(0.0, pan=(3.0, 0.0)))
    assert scene.iou(masks(run(Egoflow, scene))) > steady.iou(masks(run(Egoflow, steady))) - 0.05


def test_the_far_frame_measures_slow_vehicles_better():
    scene = Scene(turning(0.0, pan=(2.0, 0.0)), drive=(0.4, 0.0), count=8, noise=4.0)

    def spread(far):
        evidence = values(run(Egoflow, scene, EgoflowSettings(far=far)))[3:-3] / PIXEL
        return np.mean([np.abs(e[t] - 0.4).mean() for e, t in zip(evidence, scene.truth[3:-3], strict=True)])

    assert spread(3) < 0.8 * spread(1)


def test_boxes_that_hide_the_background_mean_plain_flow_and_a_warning(caplog):
    scene = Scene(turning(0.0, pan=(4.0, 0.0)), count=3)
    everything = np.array([[0, 0, WIDTH, HEIGHT]], np.float32)
    scene.frames = [ClipFrame(f.number, f.image, everything) for f in scene.frames]
    with caplog.at_level(logging.WARNING, logger="spotlabel"):
        evidence = values(run(Egoflow, scene, EgoflowSettings(far=1)))
    assert "3 of 3 frames (first: 0)" in caplog.text
    ground = ~(scene.truth[0] | scene.truth[1] | scene.truth[2])
    ground[:30], ground[-30:], ground[:, :30], ground[:, -30:] = False, False, False, False
    assert np.median(evidence[1][ground]) / PIXEL == pytest.approx(4.0, abs=0.3)


def test_no_warning_where_the_background_tells(caplog):
    with caplog.at_level(logging.WARNING, logger="spotlabel"):
        run(Egoflow, Scene(CAMERAS["pan"], count=3))
    assert not caplog.records


def test_camera_motion_is_the_one_that_was():
    ground = texture(HEIGHT + 80, WIDTH + 80, 5)
    matrix = turning(1.5, zoom=0.01, pan=(5.0, -3.0))(1)
    away = np.array([[1, 0, -40], [0, 1, -40], [0, 0, 1.0]])
    start, end = ground[40:-40, 40:-40], cv2.warpPerspective(ground, matrix @ away, (WIDTH, HEIGHT))
    boxes = np.array([[80, 60, 160, 120]], np.float32)
    motion = camera_motion(np.ascontiguousarray(start), end, unboxed(boxes, start.shape, 0.1))
    corners = np.array([[20, 20], [220, 20], [220, 160], [20, 160]], np.float32)
    assert motion.known
    assert np.abs(moved(corners, motion.homography) - moved(corners, matrix)).max() < 0.3
    again = seen_from(end, motion)
    assert np.abs(again[20:-20, 20:-20].astype(int) - start[20:-20, 20:-20]).mean() < 2


def test_a_linear_field_of_the_background_is_taken_off_and_a_block_is_left():
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    field = np.stack([0.5 + 0.02 * y, 0.01 * x - 0.4], axis=2)
    flow = field.copy()
    flow[40:80, 50:110] += [2.0, 0.0]
    flow[:20, :30] += [5.0, 5.0]  # somebody unboxed walks by
    background = np.full((120, 160), 255, np.uint8)
    background[30:90, 40:120] = 0
    rest = without_background(flow, background, 1.0)
    assert np.abs(rest.flow[40:80, 50:110] - [2.0, 0.0]).max() < 0.02
    assert np.abs(rest.flow[30:38, 40:120]).max() < 0.02
    assert rest.background < 0.02


def test_disorder_is_not_fitted():
    flow = np.random.default_rng(0).normal(0, 2, (80, 80, 2)).astype(np.float32)
    background = np.full((80, 80), 255, np.uint8)
    rest = without_background(flow, background, 1.0)
    assert np.array_equal(rest.flow, flow)
    assert rest.background > 1


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_one_window_per_frame_with_its_neighbours(count):
    scene = Scene(count=count)
    seen = list(windows(scene, 2, 0.1))
    assert [window.view.frame.number for window in seen] == list(range(count))
    for index, window in enumerate(seen):
        numbers = [view.frame.number for view in window.views]
        assert numbers == list(range(max(0, index - 2), min(count, index + 3)))


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

"""The camera's motion, what it leaves, and the frames it is told from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.egomotion.camera import (
    STANDING,
    UNKNOWN_MOTION,
    background_mask,
    camera_motion,
    moved,
    warped_to,
)
from spotlabel.labelers.egomotion.corners import COARSE_PIXELS, quickly_tracked_corners, tracked_corners
from spotlabel.labelers.egomotion.residual import subtract_background_flow
from spotlabel.labelers.egomotion.window import views, windows
from tests.helpers.clips import texture
from tests.helpers.moving_scenes import HEIGHT, WIDTH, Scene, turning

NO_BOXES = np.zeros((0, 4), np.float32)


def test_camera_motion_is_the_one_that_was():
    ground = texture(HEIGHT + 80, WIDTH + 80, 5)
    matrix = turning(1.5, zoom=0.01, pan=(5.0, -3.0))(1)
    away = np.array([[1, 0, -40], [0, 1, -40], [0, 0, 1.0]])
    start, end = ground[40:-40, 40:-40], cv2.warpPerspective(ground, matrix @ away, (WIDTH, HEIGHT))
    boxes = np.array([[80, 60, 160, 120]], np.float32)
    motion = camera_motion(np.ascontiguousarray(start), end, background_mask(boxes, start.shape, 0.1))
    corners = np.array([[20, 20], [220, 20], [220, 160], [20, 160]], np.float32)
    assert motion.known
    assert np.abs(moved(corners, motion.homography) - moved(corners, matrix)).max() < 0.3
    again = warped_to(end, motion)
    assert np.abs(again[20:-20, 20:-20].astype(int) - start[20:-20, 20:-20]).mean() < 2


@pytest.mark.parametrize("tracking", [tracked_corners, quickly_tracked_corners])
@pytest.mark.parametrize("size", [(400, 580), (897, 901)])
def test_camera_motion_is_found_in_a_halved_image_as_exactly(tracking, size):
    height, width = size  # halved once; twice, and odd
    ground = texture(height + 120, width + 120, 5)
    matrix = np.array([[0.999, -0.012, 21.0], [0.013, 1.002, -14.0], [1e-5, -2e-5, 1.0]])
    away = np.array([[1, 0, -60], [0, 1, -60], [0, 0, 1.0]])
    start, end = ground[60:-60, 60:-60], cv2.warpPerspective(ground, matrix @ away, (width, height))
    assert start.size >= 4 * COARSE_PIXELS
    boxes = np.array([[200, 100, 330, 210]], np.float32)
    background = background_mask(boxes, start.shape, 0.1)
    motion = camera_motion(np.ascontiguousarray(start), end, background, tracking)
    corners = np.array([[20, 20], [500, 20], [500, 340], [20, 340]], np.float32)
    assert motion.known
    assert np.abs(moved(corners, motion.homography) - moved(corners, matrix)).max() < 0.1


def noisy(ground, seed, deviation):
    noise = np.random.default_rng(seed).normal(0, deviation, ground.shape)
    return np.clip(np.rint(ground + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("tracking", [tracked_corners, quickly_tracked_corners])
@pytest.mark.parametrize("deviation", [0.0, 2.0, 12.0])
def test_noise_is_no_motion(deviation, tracking):
    ground = (
        texture(2 * HEIGHT, 2 * WIDTH, 5)
        if tracking is quickly_tracked_corners
        else texture(HEIGHT, WIDTH, 5)
    )
    background = np.full(ground.shape, 255, np.uint8)
    for seed in range(0, 10, 2):
        pair = (noisy(ground, seed, deviation), noisy(ground, seed + 1, deviation))
        assert camera_motion(*pair, background, tracking) is STANDING


@pytest.mark.parametrize("pan", [0.15, 0.4])
def test_a_small_motion_above_the_noise_is_one(pan):
    wide = texture(HEIGHT, WIDTH + 20, 5)
    shifted = cv2.warpAffine(wide, np.array([[1, 0, pan], [0, 1, 0.0]]), (WIDTH + 20, HEIGHT))
    start, end = noisy(wide[:, 10:-10], 1, 2.0), noisy(shifted[:, 10:-10], 2, 2.0)
    motion = camera_motion(start, end, np.full(start.shape, 255, np.uint8))
    assert motion.largest_shift(start.shape) == pytest.approx(pan, abs=0.1)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (120, 500)])
def test_largest_shift_is_where_the_image_is_moved_most(shape):
    motion = camera_motion(texture(*shape, 5), texture(*shape, 5), np.full(shape, 255, np.uint8))
    assert motion.largest_shift(shape) == 0
    zoomed = type(motion)(np.diag([1.02, 1.02, 1.0]))
    assert zoomed.largest_shift(shape) == pytest.approx(0.02 * np.hypot(shape[0] - 1, shape[1] - 1), rel=1e-3)


@pytest.mark.parametrize("picture", [np.zeros((HEIGHT, WIDTH), np.uint8), texture(HEIGHT, WIDTH, 5)])
def test_a_background_that_shows_nothing_or_is_hidden_tells_nothing(picture):
    hidden = background_mask(np.array([[0, 0, WIDTH, HEIGHT - 8]], np.float32), picture.shape, 0.05)
    assert camera_motion(picture, picture, hidden) is UNKNOWN_MOTION
    if not picture.any():
        assert (
            camera_motion(picture, picture, background_mask(NO_BOXES, picture.shape, 0.05)) is UNKNOWN_MOTION
        )


def test_a_linear_field_of_the_background_is_taken_off_and_a_block_is_left():
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    field = np.stack([0.5 + 0.02 * y, 0.01 * x - 0.4], axis=2)
    flow = field.copy()
    flow[40:80, 50:110] += [2.0, 0.0]
    flow[:20, :30] += [5.0, 5.0]  # somebody without a box walks by
    background = np.full((120, 160), 255, np.uint8)
    background[30:90, 40:120] = 0
    rest = subtract_background_flow(flow, background, 1.0)
    assert np.abs(rest[40:80, 50:110] - [2.0, 0.0]).max() < 0.02
    assert np.abs(rest[30:38, 40:120]).max() < 0.02


def test_disorder_is_not_fitted():
    flow = np.random.default_rng(0).normal(0, 2, (80, 80, 2)).astype(np.float32)
    background = np.full((80, 80), 255, np.uint8)
    rest = subtract_background_flow(flow, background, 1.0)
    assert np.array_equal(rest, flow)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_one_window_per_frame_with_its_neighbours(count):
    scene = Scene(count=count)
    seen = list(windows(views(scene, 0.1), 2))
    assert [window.view.frame.number for window in seen] == list(range(count))
    for index, window in enumerate(seen):
        numbers = [view.frame.number for view in window.views]
        assert numbers == list(range(max(0, index - 2), min(count, index + 3)))

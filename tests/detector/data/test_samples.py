"""Samples: the published pipeline's figures, equal geometry for image, mask and boxes, unknown pixels."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.centernet.targets import known_cells
from spotlabel.detector.data.colour import GREY, jitter, normalise
from spotlabel.detector.data.samples import IgnoreMode, make_sample
from spotlabel.detector.data.views import (
    Rng,
    View,
    border,
    jittered_view,
    letterbox_view,
    padded_view,
    random_view,
    rng_of,
)
from tests.helpers import hash_tensors
from tests.helpers.centre_targets import centre_targets

SIZE, CANVAS = (540, 960), (512, 512)
BOXES = np.array(
    [[100, 50, 160, 90], [500, 300, 700, 450], [930, 10, 960, 35], [0, 500, 50, 540]], np.float64
)


@pytest.fixture(scope="module")
def image():
    noise = np.floor(hash_tensors.uniform("img", 540 * 960 * 3) * 256).astype(np.uint8)
    return cv2.blur(noise.reshape(540, 960, 3), (9, 9))


@pytest.fixture(scope="module")
def mask():
    plane = np.zeros(SIZE, np.uint8)
    for x0, y0, x1, y1 in BOXES.astype(int):
        plane[y0:y1, x0:x1] = 1
    return plane


def sample(image, mask, view, boxes=BOXES, **more):
    return make_sample(image, mask, boxes, np.zeros(len(boxes), np.int64), view=view, **more)


def centres(found):
    """Targets of a sample on the grid of CenterNet."""
    grid = (found.image.shape[1] // 4, found.image.shape[2] // 4)
    return centre_targets(found.boxes / 4, found.class_id, 1, grid)


def test_validation_sample_golden(image, mask):
    found = sample(image, mask, letterbox_view(SIZE, CANVAS))
    assert found.image.mean() == pytest.approx(-0.575518, abs=2e-4)
    assert found.image.std() == pytest.approx(0.894489, abs=2e-4)
    assert found.mask.mean() == pytest.approx(0.038082, abs=1e-6)
    targets = centres(found)
    hm = targets.hm
    assert hm.sum() == pytest.approx(33.57959, abs=1e-4)
    assert ((hm == 1).sum(), (hm > 0).sum()) == (4, 188)
    assert targets.ind[:4].tolist() == [4753, 10064, 4093, 12419]
    wh = [[8, 5.3333], [26.6667, 20], [3, 3.3333], [6.6667, 5.3333]]
    assert targets.wh[:4] == pytest.approx(np.array(wh), abs=1e-3)
    reg = [[0.3333, 0.3333], [0, 0], [0.5, 0], [0.3333, 0.3333]]
    assert targets.reg[:4] == pytest.approx(np.array(reg), abs=1e-3)


def test_padded_sample_golden(image, mask):
    found = sample(image, mask, padded_view(SIZE))
    assert found.image.shape == (3, 640, 1024)
    assert found.image.mean() == pytest.approx(-0.167999, abs=2e-4)
    assert found.image.std() == pytest.approx(0.738460, abs=2e-4)
    assert found.mask.mean() == pytest.approx(0.053635, abs=1e-6)
    targets = centres(found)
    assert targets.hm.sum() == pytest.approx(113.23053, abs=1e-4)
    assert (targets.hm > 0).sum() == 652
    assert targets.ind[:4].tolist() == [7720, 27294, 4852, 36366]
    assert targets.wh[:4].tolist() == [[15, 10], [50, 37.5], [7.5, 6.25], [12.5, 10]]
    assert targets.reg[:4].tolist() == [[0.5, 0], [0, 0.25], [0.25, 0.125], [0.25, 0.5]]


@pytest.mark.parametrize(
    ("seed", "total", "cells"),
    [
        (0, 30.96499, [None, 10420, 4450, None]),
        (1, 24.24698, [6236, 10915, None, 13160]),
        (2, 77.56767, [None, 13107, 3198, None]),
    ],
)
def test_training_sample_golden(image, mask, seed, total, cells):
    view = dataclasses.replace(random_view(SIZE, CANVAS, Rng(seed)), index_boxes=True)
    found = centres(sample(image, mask, view))
    assert found.hm.sum() == pytest.approx(total, abs=1e-4)
    assert [int(i) if m else None for i, m in zip(found.ind[:4], found.mask[:4], strict=True)] == cells
    if seed == 0:
        assert found.wh[1:3] == pytest.approx(np.array([[26.6667, 20], [4, 3.3333]]), abs=1e-3)


@pytest.mark.parametrize(
    ("size", "distance"), [(960, 128), (540, 128), (257, 128), (256, 64), (240, 64), (20, 8)]
)
def test_crop_centres_keep_away_from_borders(size, distance):
    assert border(size) == distance


views = st.sampled_from([random_view, jittered_view])


@settings(max_examples=30)
@given(st.integers(0, 2**31), views)
def test_image_mask_and_boxes_share_their_geometry(seed, draw):
    size, canvas = (120, 160), (128, 128)
    view = dataclasses.replace(draw(size, canvas, Rng(seed)), index_boxes=True)
    plane = np.zeros(size, np.uint8)
    plane[20:75, 30:101] = 1
    # With pixel centres on whole numbers, pixels 30..100 are what a box from 30 to 100 spans.
    box = np.array([[30, 20, 100, 74]], np.float64)
    image = np.repeat(plane[:, :, None] * np.uint8(255), 3, axis=2)
    found = sample(image, plane, view, box)
    black, white = normalise(np.zeros((1, 1, 3), np.float32)), normalise(np.ones((1, 1, 3), np.float32))
    drawn = (found.image.transpose(1, 2, 0) - black) / (white - black)
    assert np.abs(drawn - found.mask[0][:, :, None]).max() < 1 / 255
    x0, y0, x1, y1 = view.boxes(box, size[1])[0]
    y, x = np.mgrid[: canvas[0], : canvas[1]]
    inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    soft = (found.mask[0] > 0) & (found.mask[0] < 1)
    outside_distance = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))
    scale = abs(view.matrix[0, 0])
    assert (found.mask[0][inside] > 0.95).all()
    assert (outside_distance[soft] < scale + 0.05).all()
    assert (found.mask[0][outside_distance > scale + 0.05] == 0).all()


def test_a_flipped_view_mirrors_what_it_shows(image, mask):
    plain = View(letterbox_view(SIZE, CANVAS).matrix, False, CANVAS)
    flipped = View(plain.matrix, True, CANVAS)
    mirrored = sample(np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(mask[:, ::-1]), plain)
    found = sample(image, mask, flipped)
    assert np.array_equal(found.image, mirrored.image)
    assert np.array_equal(found.mask, mirrored.mask)
    boxes = dataclasses.replace(flipped, index_boxes=True).boxes(BOXES, 960)
    assert (boxes[:, 2] > boxes[:, 0]).all()
    assert boxes[0, [0, 2]] == pytest.approx(np.array([799, 859]) * 512 / 960)


def test_random_views_show_the_published_range():
    rng = Rng(3)
    drawn = [random_view(SIZE, CANVAS, rng) for _ in range(400)]
    zooms = {round(512 / 960 / v.matrix[0, 0], 6) for v in drawn}
    assert zooms == {0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3}
    assert 0.4 < np.mean([v.flip for v in drawn]) < 0.6
    mild = [jittered_view(SIZE, CANVAS, rng) for _ in range(400)]
    zooms = [512 / 960 / v.matrix[0, 0] for v in mild]
    assert min(zooms) == pytest.approx(0.6)
    assert max(zooms) == pytest.approx(1.4)


def test_samples_are_repeatable_and_differ_by_epoch_and_index(image, mask):
    def draw(seed, epoch, index):
        rng = rng_of(seed, epoch, index)
        return sample(image, mask, random_view(SIZE, (128, 128), rng), rng=rng).image.tobytes()

    assert draw(317, 2, 5) == draw(317, 2, 5)
    assert len({draw(317, 2, 5), draw(317, 3, 5), draw(317, 2, 6), draw(318, 2, 5)}) == 4


def test_colour_jitter_is_a_mixture_plus_a_shift():
    rng = np.random.default_rng(0)
    flat = np.broadcast_to(np.array([0.2, 0.5, 0.7], np.float32), (6, 5, 3)).copy()
    before = flat.copy()
    for seed in range(20):
        result = jitter(flat, Rng(seed))
        # A flat image stays flat.
        assert np.ptp(result, axis=(0, 1)) == pytest.approx(0, abs=1e-6)
    assert np.array_equal(flat, before)
    textured = rng.random((40, 40, 3)).astype(np.float32)
    spread = [jitter(textured, Rng(seed)).std() / textured.std() for seed in range(60)]
    assert min(spread) < 0.75
    assert max(spread) > 1.25
    assert all(0.6**3 * 0.9 < s < 1.4**3 * 1.1 for s in spread)


def test_grey_weights_are_those_of_opencv():
    image = np.random.default_rng(1).random((9, 9, 3)).astype(np.float32)
    assert image @ GREY == pytest.approx(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), abs=1e-6)


def test_unknown_pixels_carry_no_loss_or_turn_black(image, mask):
    holed = mask.copy()
    holed[300:450, 500:600] = 255
    holed[100:200, 200:400] = 255
    view = padded_view(SIZE)
    shift = (slice(50 + 100, 50 + 200), slice(32 + 200, 32 + 400))
    plain = sample(image, holed, view)
    assert plain.known.min() == 1
    assert plain.labelled.min() == 1
    assert plain.mask[0][shift].max() == 0
    masked = sample(image, holed, view, ignore_mode=IgnoreMode.MASK_LOSS)
    assert np.array_equal(masked.image, plain.image)
    assert masked.known[0][shift].max() == 0
    assert (masked.known == 0).sum() == 150 * 100 + 100 * 200
    cells = known_cells(torch.from_numpy(masked.labelled[None]), 4)[0, 0]
    assert cells.shape == (160, 256)
    # 100 rows from 150 on cover cells 38..61 whole and half of cells 37 and 62.
    assert cells[38:62, 58:108].max() == 0
    assert cells[:37].min() == 1
    black = sample(image, holed, view, ignore_mode=IgnoreMode.BLACKEN)
    zero = normalise(np.zeros((1, 1, 3), np.float32))[0, 0]
    assert np.array_equal(black.image[:, shift[0], shift[1]].max(axis=(1, 2)), zero)
    assert black.known.min() == 1
    assert not np.array_equal(plain.image, black.image)


def test_no_boxes_and_boxes_outside_the_view_are_valid(image, mask):
    view = letterbox_view(SIZE, CANVAS)
    for boxes in (np.zeros((0, 4)), np.array([[-300.0, 10, -200, 50], [2000, 10, 2100, 50]])):
        found = sample(image, mask, view, boxes)
        assert centres(found).mask.sum() == 0
        assert not centres(found).hm.any()


def test_a_mask_of_another_size_is_refused(image, mask):
    with pytest.raises(ValueError, match=r"mask of shape \(539, 960\) for an image of shape \(540, 960, 3\)"):
        sample(image, mask[1:], letterbox_view(SIZE, CANVAS))


def test_a_smaller_extent_shows_less_of_the_image_larger():
    whole, half = (random_view(SIZE, CANVAS, Rng(3), extent) for extent in (1.0, 0.5))
    assert half.matrix[0, 0] == pytest.approx(2 * whole.matrix[0, 0])
    assert half.flip == whole.flip


def test_pixel_edges_mirror_to_pixel_edges():
    view = View(np.array([[1, 0, 0], [0, 1, 0]], np.float64), True, (20, 60))
    plane = np.zeros((20, 60), np.uint8)
    plane[5:9, 40:50] = 255
    columns = np.flatnonzero(view.warp(plane).any(axis=0))
    box = view.boxes(np.array([[40.0, 5, 50, 9]]), 60)
    assert box.tolist() == [[columns[0], 5, columns[-1] + 1, 9]]


def test_a_box_nobody_believes_has_no_segmentation_loss_but_heatmap_negatives():
    plane = np.zeros((64, 64), np.uint8)
    plane[16:32, 16:48] = 255
    plane[40:64, :] = 255
    view = View(np.array([[1, 0, 0], [0, 1, 0]], np.float64), False, (64, 64))
    boxes = np.array([[16.0, 16, 48, 32]])
    found = sample(np.zeros((64, 64, 3), np.uint8), plane, view, boxes, ignore_mode=IgnoreMode.MASK_LOSS)
    assert np.array_equal(found.known[0] == 0, plane == 255)
    assert np.array_equal(found.labelled[0] == 0, np.arange(64)[:, None].repeat(64, 1) >= 40)

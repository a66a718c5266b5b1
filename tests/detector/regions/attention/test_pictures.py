"""Attentions over a picture: the right places, the right brightness, the picture itself left alone."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.detector.regions.attention.pictures import (
    draw_gaussians,
    draw_inversion,
    draw_separation,
    overlay,
)

IMAGE = np.full((60, 100, 3), 120, np.uint8)
IMAGE.flags.writeable = False


def brightness(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float64).sum(axis=2)


def test_the_overlay_is_grey_at_0_and_bright_at_1() -> None:
    shares = np.zeros((60, 100), np.float32)
    shares[:, 50:] = 1
    drawn = overlay(IMAGE, shares)
    assert (drawn[:, :50] == 78).all()  # 0.65 of 120
    assert brightness(drawn)[:, 50:].min() > brightness(drawn)[:, :50].max() + 100


def test_both_attentions_stand_side_by_side() -> None:
    loc, cls = np.zeros((6, 10), np.float32), np.zeros((6, 10), np.float32)
    loc[:, :3], cls[:, 7:] = 1, 1
    drawn = brightness(draw_separation(IMAGE, loc, cls))
    top = drawn.shape[0] - 60
    assert drawn.shape[1] == 2 * 100 + 6
    left, right = drawn[top:, :100], drawn[top:, 106:]
    assert left[:, :20].min() > left[:, 60:].max() + 100
    assert right[:, 80:].min() > right[:, :40].max() + 100


def test_gaussians_are_brightest_at_their_centres() -> None:
    maps = np.zeros((1, 7, 7), np.float32)
    maps[0, 1, 5] = 1
    roi = np.array([[10, 10, 80, 45]], np.float32)
    plain = draw_gaussians(IMAGE, roi, maps)
    y, x = np.unravel_index(brightness(plain[12:43, 12:78]).argmax(), (31, 66))
    assert abs(12 + y - 17) <= 2  # (1 + 0.5) / 7 of the way down
    assert abs(12 + x - 65) <= 2
    dotted = draw_gaussians(IMAGE, roi, maps, np.array([[[5.0, 1.0]]], np.float32))
    rows, columns = np.where((dotted != plain).any(axis=2))
    assert (rows.mean(), columns.mean()) == pytest.approx((17, 65), abs=1)


def test_what_is_taken_away_is_dark_afterwards() -> None:
    cells = np.full((1, 7, 7), -2.0, np.float32)
    cells[0, 2:4, 2:4] = 6
    factor = np.where(cells > 0, np.float32(0), np.float32(1))
    roi = np.array([[15, 5, 85, 55]], np.float32)
    drawn = brightness(draw_inversion(IMAGE, roi, cells, factor))
    top = drawn.shape[0] - 60
    middle = (slice(top + 5 + 18, top + 5 + 25), slice(15 + 25, 15 + 35))
    before, after = drawn[:, :100][middle], drawn[:, 106:][middle]
    assert before.mean() > after.mean() + 200
    assert after == pytest.approx(np.full(after.shape, 3 * 78), abs=3)


def test_rois_without_sensitivity_and_no_rois_at_all_can_be_drawn() -> None:
    flat = np.ones((1, 7, 7), np.float32)
    one = np.array([[15, 5, 85, 55]], np.float32)
    assert (draw_inversion(IMAGE, one, flat, flat)[-30, 30] == 78).all()
    nothing = draw_gaussians(IMAGE, np.zeros((0, 4), np.float32), np.zeros((0, 7, 7), np.float32))
    assert (nothing == 78).all()
    assert (IMAGE == 120).all()

"""The means of ``boxbg``'s odds along the edges of the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.boxbg.smoothing import box_filter, guided_filter
from tests.helpers.boxbg_videos import Actor, Video, crosses, iou, labelled

SIZE = 60
WHOLE = np.array([[0, 0, SIZE, SIZE]])


def halves(left: int, right: int) -> np.ndarray:
    """An image whose right half has another brightness, with its edge between columns 29 and 30."""
    image = np.full((SIZE, SIZE, 3), left, np.uint8)
    image[:, SIZE // 2 :] = right
    return image


def noisy_halves() -> np.ndarray:
    """Odds for an object in the right half, with a deviation of twice their mean."""
    odds = np.full((SIZE, SIZE), -1.0) + 2 * (np.arange(SIZE) >= SIZE // 2)
    return (odds + np.random.default_rng(0).normal(0, 2, odds.shape)).astype(np.float32)


def test_odds_do_not_cross_an_edge_of_the_image() -> None:
    odds = np.where(np.arange(SIZE) >= SIZE // 2, 3.0, -1.0).astype(np.float32) * np.ones(
        (SIZE, 1), np.float32
    )
    gauss_newton = guided_filter(odds, halves(60, 160), WHOLE, 0.0)
    assert ((gauss_newton > 0) == (odds > 0)).all()
    assert not ((box_filter(odds) > 0) == (odds > 0)).all()  # the stronger side swells


def test_noise_is_averaged_over_more_than_a_square() -> None:
    odds, truth = noisy_halves(), np.broadcast_to(np.arange(SIZE) >= SIZE // 2, (SIZE, SIZE))
    wrong = np.mean((guided_filter(odds, halves(60, 160), WHOLE, 0.0) > 0) != truth)
    assert wrong < 0.5 * np.mean((box_filter(odds) > 0) != truth)


def test_flat_images_give_plain_means() -> None:
    odds = np.full((SIZE, SIZE), 1.5, np.float32)
    assert guided_filter(odds, halves(90, 90), WHOLE, 0.0) == pytest.approx(1.5, abs=1e-4)


def test_a_box_in_which_edges_mislead_keeps_its_squares() -> None:
    """Left box: a small spot of odds on a flat image, which a wide window levels. Right box: a clear half."""
    odds = np.full((SIZE, 2 * SIZE), -1.0, np.float32)
    odds[28:32, 28:32] = 3.0
    odds[:, SIZE + SIZE // 2 :] = 3.0
    image = np.hstack([halves(90, 90), halves(60, 160)])
    boxes = np.array([[15, 15, 45, 45], [SIZE, 0, 2 * SIZE, SIZE]])
    square = box_filter(odds)
    both = guided_filter(odds, image, boxes, 0.0)
    assert np.array_equal(both[15:45, 15:45], square[15:45, 15:45])
    assert not np.array_equal(both[5:-5, SIZE + 5 : -5], square[5:-5, SIZE + 5 : -5])


def test_edges_give_the_same_with_any_number_of_threads() -> None:
    odds, image = noisy_halves(), halves(60, 160)
    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            results.append(guided_filter(odds, image, WHOLE, 0.0))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*results)


def test_without_edges_squares_decide() -> None:
    video = Video(Actor(crosses), frames=24)
    settings = [BoxbgSettings(edges=edges) for edges in (True, False)]
    first, second = ([item.values for item in Boxbg(chosen).label(video)] for chosen in settings)
    assert not all(map(np.array_equal, first, second))
    assert iou(labelled(video, edges=False), video) > 0.93

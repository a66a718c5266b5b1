"""GrabCut with colours learnt from a sample."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.egomotion import cut


def scene(side):
    """A noisy disc on noisy ground, its truth, and seeds that leave a wide ring open."""
    y, x = np.mgrid[0:side, 0:side] - side / 2
    truth = np.hypot(y, x * 1.2) < side / 3
    noise = np.random.default_rng(2).normal(0, 12, (side, side, 3))
    image = np.clip(np.where(truth[..., None], [150, 90, 60], [70, 120, 130]) + noise, 0, 255).astype(
        np.uint8
    )
    far = np.hypot(y, x * 1.2)
    seeds = np.where(far < side / 4, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[far < side / 6], seeds[far > side * 0.45] = cv2.GC_FGD, cv2.GC_BGD
    return image, truth, seeds


@pytest.mark.parametrize("side", [30, 60, 110, 200])
def test_the_line_is_that_of_the_whole_cut(side):
    image, truth, seeds = scene(side)
    opencv, models = seeds.copy(), (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.setRNGSeed(1)
    cv2.grabCut(image, opencv, None, *models, 1, cv2.GC_INIT_WITH_MASK)
    found = cut.grab_cut(image, seeds)
    for wanted in (truth, (opencv & 1) > 0):
        assert np.count_nonzero(found & wanted) / np.count_nonzero(found | wanted) > 0.97
    assert found[seeds == cv2.GC_FGD].all()
    assert not found[seeds == cv2.GC_BGD].any()


def test_colours_are_learnt_from_a_sample_of_either_kind(monkeypatch):
    samples, grab = [], cv2.grabCut

    def counted(image, labels, rect, *rest):
        if rest[-1] == cv2.GC_INIT_WITH_MASK:
            samples.extend(np.bincount(labels.ravel() & 1).tolist())
        return grab(image, labels, rect, *rest)

    monkeypatch.setattr(cv2, "grabCut", counted)
    image, _, seeds = scene(200)
    cut.grab_cut(image, seeds)
    assert all(cut.SAMPLES / 2 < count <= cut.SAMPLES for count in samples)
    assert len(samples) == 2


@pytest.mark.parametrize("seed", [cv2.GC_PR_FGD, cv2.GC_PR_BGD, cv2.GC_FGD])
def test_too_few_of_a_kind_decide_nothing(seed):
    image, _, _ = scene(30)
    seeds = np.full((30, 30), seed, np.uint8)
    seeds[:3, :3] = cv2.GC_FGD + cv2.GC_BGD - (seed & 1)
    assert np.array_equal(cut.grab_cut(image, seeds), (seeds & 1) > 0)


def test_nothing_in_doubt_stays_as_it_is():
    image, truth, _ = scene(60)
    seeds = np.where(truth, cv2.GC_FGD, cv2.GC_BGD).astype(np.uint8)
    assert np.array_equal(cut.grab_cut(image, seeds), truth)

"""OpenCV's background subtractors: what drives in, warm-up, shadows, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from spotlabel.labelers.baselines.opencv_subtractors import Knn, KnnSettings, Mog2, Mog2Settings
from tests.helpers.clips import ListClip, moving_square, run, values


@pytest.mark.parametrize("labeler", [Mog2, Knn])
def test_subtractors_find_what_drives_in_and_mark_their_warm_up(labeler):
    settings = labeler.settings_type(warm_up_frames=30)
    evidence = run(labeler, ListClip(moving_square(42, stands=32)), settings)
    assert [item.warm_up for item in evidence] == [True] * 30 + [False] * 12
    last = evidence[-1].values
    square = np.zeros((48, 64), bool)
    square[16:32, 31:47] = True
    assert last.dtype == np.bool_
    assert last[square].mean() > 0.9
    assert last[:8].mean() < 0.1


def test_shadows_are_background_only_if_asked_for():
    scene = np.full((40, 40, 3), 160, np.uint8)
    shadowed = scene.copy()
    shadowed[10:20, 10:20] = 110
    frames = [scene.copy() for _ in range(20)] + [shadowed]
    seen = run(Mog2, ListClip(frames), Mog2Settings(detect_shadows=False))[-1].values
    ignored = run(Mog2, ListClip(frames), Mog2Settings(detect_shadows=True))[-1].values
    assert seen[12:18, 12:18].all()
    assert not ignored.any()


def test_knn_seed_decides_its_random_numbers():
    frames = [np.random.default_rng(i).integers(90, 130, (60, 60, 3), np.uint8) for i in range(25)]
    first, second = (values(run(Knn, ListClip(frames), KnnSettings(seed=3))) for _ in range(2))
    other = values(run(Knn, ListClip(frames), KnnSettings(seed=4)))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)

"""The homography of least squares, to its end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.egomotion.camera import moved
from spotlabel.labelers.egomotion.settling import settled

SHAPE = (270, 480)
TRUE = np.array([[1.01, 0.004, -3.2], [-0.003, 0.99, 1.7], [1.5e-5, -2e-5, 1]])


def pairs(seed: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    here = (random.random((200, 2)) * [SHAPE[1], SHAPE[0]]).astype(np.float32)
    return here, (moved(here, TRUE) + random.normal(0, noise, here.shape)).astype(np.float32)


def test_points_without_noise_give_the_true_homography() -> None:
    here, there = pairs(0, 0.0)
    found = settled(TRUE + 1e-3 * np.array([[1, -1, 9], [1, 1, -9], [1e-3, 1e-3, 0]]), here, there, SHAPE)
    assert np.abs(moved(here, found) - moved(here, TRUE)).max() < 1e-3


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_starts_that_differ_end_in_the_same_bytes(seed: int, other: int) -> None:
    """As processors differ: by more than a million times the last bit."""
    here, there = pairs(seed, 0.3)
    random = np.random.default_rng(other)
    near = TRUE + random.normal(0, 1, (3, 3)) * [[1e-6, 1e-6, 1e-4], [1e-6, 1e-6, 1e-4], [1e-9, 1e-9, 0]]
    assert settled(TRUE, here, there, SHAPE).tobytes() == settled(near, here, there, SHAPE).tobytes()


def test_nothing_near_is_better() -> None:
    here, there = pairs(1, 0.5)
    found = settled(TRUE, here, there, SHAPE)

    def squares(homography: np.ndarray) -> float:
        along = np.column_stack([here, np.ones(len(here))]).astype(np.float64) @ homography.T
        return float(((along[:, :2] / along[:, 2:] - there) ** 2).sum())

    for row, column in np.ndindex(3, 3):
        if (row, column) != (2, 2):
            for sign in (-1, 1):
                near = found.copy()
                near[row, column] += sign * 1e-2 * max(abs(TRUE[row, column]), 1e-3)
                assert squares(near) > squares(found)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_where_the_fit_has_no_end_the_start_is_kept(bad: float) -> None:
    here, there = pairs(2, 0.1)
    start = TRUE.copy()
    start[2, 0] = bad
    np.testing.assert_array_equal(settled(start, here, there, SHAPE), start)

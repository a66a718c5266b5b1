"""The owner plane of a frame and its runs, on literal arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.masks.owners.plane import LONGEST_RUN, NO_OWNER, from_runs, owner_plane, to_runs

N = NO_OWNER


@given(st.lists(st.integers(0, 3), max_size=40))
def test_runs_are_reversible_and_no_two_of_one_owner_touch(owners: list[int]) -> None:
    runs = to_runs(np.array(owners, np.uint16))
    assert from_runs(runs).tolist() == owners
    assert (runs[:, 0] > 0).all()
    assert (np.diff(runs[:, 1].astype(int)) != 0).all()


def test_a_run_that_is_too_long_for_its_number_is_divided() -> None:
    owners = np.repeat(np.array([7, 2, 7], np.uint16), [2 * LONGEST_RUN + 5, 1, LONGEST_RUN])
    runs = to_runs(owners)
    assert runs.tolist() == [[LONGEST_RUN, 7], [LONGEST_RUN, 7], [5, 7], [1, 2], [LONGEST_RUN, 7]]
    assert (from_runs(runs) == owners).all()


def test_pixels_of_one_box_are_its_and_runs_tell_the_others() -> None:
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 255], [1, 1, 1, 1, 1]], np.uint8)
    rects = np.array([[0, 0, 3, 2], [1, 0, 4, 3], [0, 0, 5, 3]], np.int64)
    claims = np.array([True, True, False])
    runs = np.array([[1, 1], [2, 0], [1, 1]], np.uint16)
    assert owner_plane(mask, rects, claims, runs).tolist() == [
        [0, 1, 0, 1, N],
        [0, 0, 1, N, N],
        [N, 1, 1, 1, N],
    ]


def test_runs_of_another_mask_are_refused() -> None:
    mask, rects = np.ones((2, 4), np.uint8), np.array([[0, 0, 3, 2], [1, 0, 4, 2]], np.int64)
    with pytest.raises(ValueError, match="owners of 3 pixels, boxes share 4"):
        owner_plane(mask, rects, np.array([True, True]), np.array([[3, 1]], np.uint16))

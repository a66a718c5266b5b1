"""Boxes to ask about are spread over sizes, tracks and time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.learned.sampling import SMALLEST, spread

FRAMES = 60


def video(tracks: int, with_ids: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """So many tracks through all frames; that of number n has boxes of 10 + 10 n px."""
    frames = np.repeat(np.arange(FRAMES), tracks)
    track = np.tile(np.arange(tracks), FRAMES)
    sides = (10 + 10 * track).astype(np.float32)
    xyxy = np.stack([np.zeros_like(sides), np.zeros_like(sides), sides, sides], axis=1)
    return frames, xyxy, track if with_ids else np.full(len(track), -1)


def test_every_track_and_every_part_of_the_video_is_asked_about():
    frames, xyxy, track = video(6)
    rows = spread(frames, xyxy, track, 60, seed=0)
    assert len(rows) == len(set(rows.tolist())) == 60
    assert np.bincount(track[rows]).tolist() == [10] * 6
    assert (np.histogram(frames[rows], 6, (0, FRAMES))[0] >= 6).all()


def test_large_boxes_are_asked_about_though_they_are_few():
    frames, xyxy, track = video(6)
    rare = (track < 5) | (frames % 20 == 0)
    frames, xyxy, track = frames[rare], xyxy[rare], track[rare]
    rows = spread(frames, xyxy, track, 30, seed=0)
    assert (track[rows] == 5).sum() == 3


def test_without_tracks_boxes_are_spread_over_time():
    frames, xyxy, track = video(6, with_ids=False)
    rows = spread(frames, xyxy, track, 60, seed=0)
    assert len(rows) == 60
    assert (np.histogram(frames[rows], 6, (0, FRAMES))[0] >= 6).all()


def test_tiny_boxes_are_asked_about_only_if_there_are_no_others():
    frames, xyxy, track = video(3)
    tiny = xyxy * np.float32(0.1)
    both = np.concatenate([xyxy[:4], tiny[4:]])
    rows = spread(frames, both, track, 100, seed=0)
    assert rows.tolist() == [0, 1, 2, 3]
    assert len(spread(frames, tiny, track, 100, seed=0)) == 100
    assert tiny.max() < SMALLEST


@given(st.integers(1, 7), st.integers(8, 300), st.integers(0, 5), st.booleans())
def test_as_many_as_wanted_or_all_in_the_same_choice_twice(tracks, number, seed, with_ids):
    columns = video(tracks, with_ids)
    rows = spread(*columns, number, seed)
    assert len(rows) == min(number, tracks * FRAMES)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(spread(*columns, number, seed), rows)


def test_no_boxes_no_questions():
    frames, xyxy, track = video(2)
    assert not len(spread(frames[:0], xyxy[:0], track[:0], 50, 0))
    assert not len(spread(frames, xyxy * 0, track, 50, 0))

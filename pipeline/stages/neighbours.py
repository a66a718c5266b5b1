"""A video's drafts on their way to masks, each with what its neighbouring frames say about its boxes.

Two frames are held at a time, so memory does not grow with the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spotlabel.labelers.masks import Draft
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.temporal import NO_TRACK, Tracks, comparable_tracks, neighbour_iou


@dataclass(frozen=True)
class Candidate:
    """A frame whose foreground is worked out.

    Attributes:
        draft: the foreground.
        tracks: int64 (N,), track of each box, -1 where there is none.
        settled: false while the labeler does not know the scene yet (warm-up): no neighbour to judge by.
    """

    draft: Draft
    tracks: Tracks
    settled: bool


@dataclass
class _Held:
    """A candidate, its tracks that can be compared, and how its boxes agree with the frame before."""

    candidate: Candidate
    tracks: Tracks
    before: Column


def with_neighbours(
    candidates: Iterable[Candidate | None],
) -> Iterator[tuple[Candidate, Column] | None]:
    """Give every frame the agreement of its boxes with the frames before and after.

    A box that agrees with one of its neighbours is not blamed for the other: the better of both counts.

    Args:
        candidates: the frames in order; None for a frame without pixels, which is nobody's neighbour.

    Yields:
        In the same order: the candidate and float32 (N,), the larger IoU with a neighbour along the track,
        NaN for a box without any; None for None. One frame behind what was taken from ``candidates``.
    """
    waiting: list[_Held | None] = []
    for candidate in candidates:
        held = None if candidate is None else _hold(candidate)
        after = _compare(waiting[0], held) if waiting else None
        if waiting:
            yield _release(waiting.pop(), after)
        waiting.append(held)
    if waiting:
        yield _release(waiting.pop(), None)


def _hold(candidate: Candidate) -> _Held:
    draft, shape = candidate.draft, candidate.draft.mask.shape
    if candidate.settled:
        tracks = comparable_tracks(candidate.tracks, draft.rects, (shape[0], shape[1]))
    else:
        tracks = np.full_like(candidate.tracks, NO_TRACK)
    return _Held(candidate, tracks, np.full(len(tracks), np.nan, np.float32))


def _compare(first: _Held | None, second: _Held | None) -> Column | None:
    """How the first frame's boxes agree with the second's, which remembers how its own agree."""
    if first is None or second is None:
        return None
    after, second.before = neighbour_iou(
        (first.tracks, first.candidate.draft.shapes), (second.tracks, second.candidate.draft.shapes)
    )
    return after


def _release(held: _Held | None, after: Column | None) -> tuple[Candidate, Column] | None:
    if held is None:
        return None
    return held.candidate, held.before if after is None else np.fmax(held.before, after)

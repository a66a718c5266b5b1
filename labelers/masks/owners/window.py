"""Owners of a video's frames, decided with what the frames around tell about the same tracks.

So many frames are held at a time as the settings say, packed, so memory does not grow with the video.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import exp

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners.baselines import simple_owner
from spotlabel.labelers.masks.owners.claims import common, groups, overlapping_pairs
from spotlabel.labelers.masks.owners.decide import FrameOwners, Group, decide
from spotlabel.labelers.masks.owners.depth import MEMORY as VOTES
from spotlabel.labelers.masks.owners.depth import Standing, front_to_back, vote
from spotlabel.labelers.masks.owners.silhouettes import (
    EVERY,
    LIKENESS,
    MEMORY,
    Float,
    Others,
    counts,
    observe,
)
from spotlabel.labelers.masks.owners.tally import FrameTally
from spotlabel.labelers.masks.settings import OwnerSettings
from spotlabel.labelers.masks.shapes import Shapes
from spotlabel.labelers.masks.temporal import NO_TRACK, Tracks
from spotlabel.labelers.masks.values import FOREGROUND, Plane, Rects

Bool = npt.NDArray[np.bool_]

MANY_BOXES = 2000
"""In frames with more boxes that overlap, their lower edges decide alone: pairs would be too many."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A finished mask and the N boxes that claim its foreground.

    Attributes:
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        rects: int64 (N, 4), pixels of the boxes.
        claims: bool (N,), see :func:`spotlabel.labelers.masks.owners.claims.claiming_boxes`.
        shapes: uint8 (N, GRID, GRID), foreground of each box on its grid.
        tracks: int64 (N,), -1 where there is none.
        occluded: bool (N,), the annotation says that something hides part of the object.
        overlap: float32 (N,), share of the box that other boxes cover.
        settled: false while the labeler does not know the scene yet: nobody learns from this frame.
    """

    mask: Plane
    rects: Rects
    claims: Bool
    shapes: Shapes
    tracks: Tracks
    occluded: Bool
    overlap: Column
    settled: bool = True


@dataclass(frozen=True, slots=True)
class _Held:
    """What is kept of a frame while it waits and while others look at it."""

    number: int
    tally: FrameTally
    rects: list[list[int]]
    tracks: list[int]
    facts: Float
    sides: list[list[float]]
    observed: list[bytes]
    row_of: dict[int, int]
    votes: dict[tuple[int, int], float]
    groups: list[Group]


def with_owners(frames: Iterable[Claimed | None], settings: OwnerSettings) -> Iterator[FrameOwners | None]:
    """Owners of every frame.

    Args:
        frames: in order; None for a frame without pixels.
        settings: see :class:`OwnerSettings`.

    Yields:
        In the same order; None for None. As many frames behind what was taken from ``frames`` as
        ``settings.window`` says.
    """
    window = settings.window if settings.rule == "tracks" else 0
    others, held = Others(), deque[_Held | None]()
    waiting, number = 0, 0
    for frame in frames:
        one = None if frame is None else _hold(frame, number)
        if one is not None and frame is not None and frame.settled and settings.rule == "tracks":
            _teach(others, one)
        held.append(one)
        waiting, number = waiting + 1, number + 1
        if waiting > window:
            yield _decided(held, len(held) - waiting, others, settings)
            waiting -= 1
        if len(held) > 2 * window:
            held.popleft()
    for place in range(len(held) - waiting, len(held)):
        low = max(0, place - window)
        yield _decided(deque(islice(held, low, None)), place - low, others, settings)


def _hold(frame: Claimed, number: int) -> _Held:
    """Work out what of a frame is needed later."""
    rects, tracks = frame.rects.tolist(), frame.tracks.tolist()
    rows = np.flatnonzero(frame.claims & (frame.overlap > 0))
    pairs, many = [], len(rows) > MANY_BOXES
    if len(rows) > 1 and not many:
        pairs = [(int(rows[i]), int(rows[j])) for i, j in overlapping_pairs(frame.rects[rows])]
    occluded = frame.occluded
    standing = {
        row: Standing(rects[row][1], rects[row][3], bool(occluded[row])) for pair in pairs for row in pair
    }
    votes = {}
    for one, other in pairs:
        a, b = _named(tracks, one, other)
        votes[a, b] = vote(standing[one], standing[other]) * (1 if a == _name(tracks, one) else -1)
    facts = _facts(frame.rects, frame.tracks)
    claiming, learns = np.flatnonzero(frame.claims).tolist(), frame.settled and not many
    return _Held(
        number=number,
        tally=FrameTally(frame.claims, frame.mask.shape[1]),
        rects=rects,
        tracks=tracks,
        facts=facts,
        sides=facts[:, 2:4].tolist(),
        observed=[row.tobytes() for row in observe(frame.shapes, rects, pairs)],
        row_of={tracks[row]: row for row in claiming if tracks[row] != NO_TRACK} if learns else {},
        votes=votes,
        groups=[_whole(frame, rows.tolist())] if many else _groups(frame.mask, rects, pairs),
    )


def _whole(frame: Claimed, boxes: list[int]) -> Group:
    """All boxes as one group of which nothing is known in pairs."""
    height, width = frame.mask.shape
    return Group((0, 0, width, height), (frame.mask == FOREGROUND).view(np.uint8), boxes, [])


def _groups(mask: Plane, rects: list[list[int]], pairs: list[tuple[int, int]]) -> list[Group]:
    """Groups of boxes that share foreground, each with its part of the mask."""
    sharing = []
    for one, other in pairs:
        x0, y0, x1, y1 = common(rects[one], rects[other])
        if (mask[y0:y1, x0:x1] == FOREGROUND).any():
            sharing.append((one, other))
    made: list[Group] = []
    if not sharing:
        return made
    number_of: dict[int, int] = {}
    members = groups(sharing)
    of_group: list[list[tuple[int, int]]] = [[] for _ in members]
    for number, boxes in enumerate(members):
        number_of.update(dict.fromkeys(boxes, number))
    for pair in sharing:
        of_group[number_of[pair[0]]].append(pair)
    for boxes, own in zip(members, of_group, strict=True):
        x0, y0 = min(rects[box][0] for box in boxes), min(rects[box][1] for box in boxes)
        x1, y1 = max(rects[box][2] for box in boxes), max(rects[box][3] for box in boxes)
        part = (mask[y0:y1, x0:x1] == FOREGROUND).view(np.uint8)
        made.append(Group((x0, y0, x1, y1), part, boxes, own))
    return made


def _facts(rects: Rects, tracks: Tracks) -> Float:
    """Middle, logarithms of the sides, and track of each box, as :class:`Others` takes them."""
    sides = np.log(np.maximum(rects[:, 2:] - rects[:, :2], 1))
    middle = (rects[:, :2] + rects[:, 2:]) / 2
    return np.concatenate([middle, sides, tracks[:, None]], axis=1).astype(np.float32)


def _name(tracks: list[int], row: int) -> int:
    """Track of a box; for one without, a number that no track has."""
    return tracks[row] if tracks[row] != NO_TRACK else -2 - row


def _named(tracks: list[int], one: int, other: int) -> tuple[int, int]:
    a, b = _name(tracks, one), _name(tracks, other)
    return (a, b) if a < b else (b, a)


def _teach(others: Others, held: _Held) -> None:
    """Remember the boxes of a frame whose turn it is, each track's at another frame."""
    rows = [row for track, row in sorted(held.row_of.items()) if (held.number + track) % EVERY == 0]
    if rows:
        cells = np.frombuffer(b"".join(held.observed[row] for row in rows), np.uint8)
        others.add(held.facts[rows], cells.reshape(len(rows), -1))


def _decided(
    held: deque[_Held | None], place: int, others: Others, settings: OwnerSettings
) -> FrameOwners | None:
    """Owners of the frame at a place among those held."""
    frame = held[place]
    if frame is None:
        return None
    for group in frame.groups:
        if settings.rule == "tracks" and group.pairs:
            order = front_to_back(group.boxes, _nearer(held, place, group), frame.rects)
            decision = decide(group, frame.rects, order, lambda box: _counts(held, place, others, box))
        else:
            rule = "lower-edge" if settings.rule == "tracks" else settings.rule
            decision = simple_owner(group, frame.rects, rule)
        frame.tally.add(group, frame.rects, decision)
    return frame.tally.owners()


def _nearer(held: deque[_Held | None], place: int, group: Group) -> dict[tuple[int, int], float]:
    """The votes of all frames around on each pair of a group."""
    frame = held[place]
    assert frame is not None
    weighted = [
        (one.votes, exp(-abs(at - place) / VOTES))
        for at, one in enumerate(held)
        if one is not None and one.votes
    ]
    nearer = {}
    for one, other in group.pairs:
        a, b = _named(frame.tracks, one, other)
        if a < -1:  # without a track the row says nothing in another frame
            total = frame.votes[a, b]
        else:
            total = sum(votes[a, b] * weight for votes, weight in weighted if (a, b) in votes)
        nearer[one, other] = total if a == _name(frame.tracks, one) else -total
    return nearer


def _counts(held: deque[_Held | None], place: int, others: Others, box: int) -> Float:
    """What the frames around and other boxes say of a box's cells."""
    frame = held[place]
    assert frame is not None
    track, facts = frame.tracks[box], frame.facts[box]
    if track == NO_TRACK:
        return counts([frame.observed[box]], np.ones(1, np.float32), others.alike(facts))
    found = [
        (at - place, one.observed[row], one.sides[row])
        for at, one in enumerate(held)
        if one is not None and (at == place or track in one.row_of)
        for row in (box if at == place else one.row_of[track],)
    ]
    apart, observed, sides = zip(*found, strict=True)
    unlike = np.abs(np.array(sides) - frame.sides[box]).sum(axis=1)
    weights = np.exp(np.abs(np.array(apart)) / -MEMORY - LIKENESS * unlike)
    return counts(observed, weights.astype(np.float32), others.of_track(track, frame.number, facts))

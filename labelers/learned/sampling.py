"""Which boxes of a video a teacher is asked about: spread over sizes, tracks and time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIZES = 3
"""Groups of boxes by area, equally many in each; each gets the same share."""
SMALLEST = 8
"""Boxes with a side below this, px, show a teacher nothing; they are asked about if there are no others."""

Indices = npt.NDArray[np.intp]


def spread(
    frames: npt.NDArray[np.integer],
    xyxy: npt.NDArray[np.float32],
    tracks: npt.NDArray[np.integer],
    number: int,
    seed: int,
) -> Indices:
    """Choose boxes: of each size equally many, of that from as many tracks as there are, far apart in time.

    Args:
        frames: int (N,), frame of each box.
        xyxy: float32 (N, 4), boxes inside the image.
        tracks: int (N,), -1 where there is none: such boxes count as one track per stretch of time.
        number: boxes wanted.
        seed: of the choice.

    Returns:
        intp (min(number, boxes there are),), rising rows.
    """
    sides = (xyxy[:, 2:] - xyxy[:, :2]).min(axis=1)
    rows = np.flatnonzero(sides >= SMALLEST)
    if not len(rows):
        rows = np.flatnonzero(sides > 0)
    if len(rows) <= number:
        return rows
    rng = np.random.default_rng(seed)
    area = np.prod(xyxy[rows, 2:] - xyxy[rows, :2], axis=1)
    groups = np.array_split(rows[np.argsort(area, kind="stable")], SIZES)
    stretch = max(1, (int(frames.max()) - int(frames.min()) + 1) // number)
    of = np.where(tracks >= 0, tracks, -1 - frames // stretch)
    chosen, missing = [], number
    for left, group in zip(range(SIZES, 0, -1), groups, strict=True):
        some = _from_tracks(np.sort(group), frames, of, -(-missing // left), rng)
        chosen.append(some)
        missing -= len(some)
    return np.sort(np.concatenate(chosen))


def _from_tracks(
    rows: Indices,
    frames: npt.NDArray[np.integer],
    tracks: npt.NDArray[np.integer],
    number: int,
    rng: np.random.Generator,
) -> Indices:
    """The same number from each track as far as it has so many, at equal distances from a random first."""
    if len(rows) <= number:
        return rows
    owned = [rows[tracks[rows] == track] for track in np.unique(tracks[rows])]
    order = rng.permutation(len(owned))
    shares = np.zeros(len(owned), np.intp)
    lengths = np.array([len(own) for own in owned])
    while (missing := number - int(shares.sum())) > 0:
        open_ = [track for track in order if shares[track] < lengths[track]]
        shares[open_[:missing]] += 1
    chosen = []
    for own, share in zip(owned, shares.tolist(), strict=True):
        ordered = own[np.argsort(frames[own], kind="stable")]
        first = rng.random()
        chosen.append(ordered[((np.arange(share) + first) * len(own) / max(share, 1)).astype(np.intp)])
    return np.concatenate(chosen)

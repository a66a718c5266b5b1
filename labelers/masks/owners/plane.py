"""The owner plane of a frame, and the little of it that boxes and mask do not tell by themselves.

A foreground pixel that one box claims is that box's. Only the pixels that two or more claim need to be kept:
read row by row from the upper left corner, as runs of pixels of one owner.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import FOREGROUND, Plane, Rects

NO_OWNER = 65535
"""Value of the owner plane where no box owns the pixel."""
MAX_BOXES = NO_OWNER
"""Boxes of a frame that can own pixels; the row of a further one has no number."""
LONGEST_RUN = 65535

OwnerPlane = npt.NDArray[np.uint16]
Runs = npt.NDArray[np.uint16]
"""(R, 2): number of pixels, row of the box that owns them."""


def to_runs(owners: npt.NDArray[np.uint16]) -> Runs:
    """Owners of some pixels in their order as runs.

    Args:
        owners: uint16 (K,), rows of boxes.

    Returns:
        uint16 (R, 2): length and owner of each run; a run longer than :data:`LONGEST_RUN` is divided.
    """
    if not len(owners):
        return np.zeros((0, 2), np.uint16)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(owners.astype(np.int32))) + 1])
    lengths = np.diff(np.concatenate([starts, [len(owners)]]))
    if int(lengths.max()) > LONGEST_RUN:
        parts = -(-lengths // LONGEST_RUN)
        starts = np.repeat(starts, parts)
        full = np.full(len(starts), LONGEST_RUN, np.int64)
        full[np.cumsum(parts) - 1] = lengths - (parts - 1) * LONGEST_RUN
        lengths = full
    return np.stack([lengths.astype(np.uint16), owners[starts]], axis=1)


def from_runs(runs: Runs) -> npt.NDArray[np.uint16]:
    """Inverse of :func:`to_runs`: uint16 (K,)."""
    return np.repeat(runs[:, 1], runs[:, 0])


def owner_plane(mask: Plane, rects: Rects, claims: npt.NDArray[np.bool_], runs: Runs) -> OwnerPlane:
    """The whole owner plane of a frame.

    Args:
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        rects: int64 (N, 4), pixels of the boxes.
        claims: bool (N,), the box claims the foreground inside it.
        runs: owners of the foreground pixels that two or more boxes claim.

    Returns:
        uint16 (H, W): row of the box that owns the pixel, :data:`NO_OWNER` where there is none: background,
        unknown, and foreground outside all boxes that claim any (``boxes_first``).

    Raises:
        ValueError: the runs are not as many pixels as two or more boxes claim.
    """
    owners = np.full(mask.shape, NO_OWNER, np.uint16)
    count = np.zeros(mask.shape, np.uint8)
    foreground = mask == FOREGROUND
    rows = np.flatnonzero(claims[:MAX_BOXES]).tolist()
    for row, (x0, y0, x1, y1) in zip(rows, rects[rows].tolist(), strict=True):
        place = np.s_[y0:y1, x0:x1]
        np.copyto(owners[place], np.uint16(row), where=foreground[place])
        part = count[place]
        part += part < 2
    contested = _contested(count, foreground)
    given = from_runs(runs)
    if len(contested) != len(given):
        raise ValueError(f"owners of {len(given)} pixels, boxes share {len(contested)}")
    owners.ravel()[contested] = given
    return owners


def contested_runs(mask: Plane, rects: Rects, claims: npt.NDArray[np.bool_], owners: OwnerPlane) -> Runs:
    """Inverse of :func:`owner_plane`: of a whole owner plane what boxes and mask do not tell by themselves.

    Args:
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        rects: int64 (N, 4), pixels of the boxes.
        claims: bool (N,), the box claims the foreground inside it.
        owners: uint16 (H, W); where only one box claims a foreground pixel, that is its owner.
    """
    count = np.zeros(mask.shape, np.uint8)
    for x0, y0, x1, y1 in rects[np.flatnonzero(claims[:MAX_BOXES])].tolist():
        part = count[y0:y1, x0:x1]
        part += part < 2
    return to_runs(owners.ravel()[_contested(count, mask == FOREGROUND)])


def _contested(count: Plane, foreground: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Where two or more boxes claim foreground, in the order of reading."""
    shared = np.flatnonzero(count > 1)
    return shared[foreground.ravel()[shared]]

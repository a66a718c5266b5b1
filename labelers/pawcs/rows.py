"""Rows of the current frame: what the row-wise passes leave for the pixel-wise ones, by band of rows.

A neighbour update needs the asking pixel as it was when it asked, and goes to a row at most two away; so a
band keeps its last five rows in turn, and its first and last four until the bands next to it are done.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import inlined
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import Bytes, Floats, Longs

REACH = 2
"""How many rows away a neighbour update may go."""
_EDGE = 2 * REACH
_TURN = 2 * REACH + 1
SLOTS = 2 * _EDGE + _TURN
"""Rows that a band keeps."""

Ints = npt.NDArray[np.int32]
Shorts = npt.NDArray[np.uint16]


class Rows(NamedTuple):
    """Kept rows, (S, W): S slots, SLOTS for each band; and what their pixels ask for.

    Attributes:
        intra: int64, descriptors.
        needed: float32, sum of weights that makes background (W*).
        colour_limit, descriptor_limit: int32, thresholds of a match.
        update_rate: int32, whole-numbered T.
        flat: uint8, 1 for flat pixels.
        askers, targets: uint16 (S, 2 REACH + 1, W), columns of the pixels that ask for a neighbour update and
            of those they ask it for, by the row of the target.
        asked: int64 (S, 2 REACH + 1), their number.
    """

    intra: Longs
    needed: Floats
    colour_limit: Ints
    descriptor_limit: Ints
    update_rate: Ints
    flat: Bytes
    askers: Shorts
    targets: Shorts
    asked: Longs


class Newcomers(NamedTuple):
    """What the pixels of a frame do to the global words, by row, settled when the frame is done.

    Attributes:
        asked: int64 (H,): pixels of the row that ask to become a global word.
        place: int32 (H, W, 2): their columns, their two thresholds packed.
        weight: float32 (H, W): what they bring.
        gained: float64 (H, G): weight that each global word gained from the row.
    """

    asked: Longs
    place: Ints
    weight: Floats
    gained: npt.NDArray[np.float64]


class Scratch(NamedTuple):
    """Room for the row and the pixel at hand, one per band of rows; W the frame's width.

    Attributes:
        bounds: uint8 (2, W).
        bits: uint8 (6, W).
        references: uint8 (3, W), colours of the best words.
        inter: int64 (W,), descriptors against the best word's colour.
        renewed: int64 (W,), second half of the best word after it matched.
        weights: float32 (HEAD, W), weights of the head words.
        l1: int32 (W,), L1 distances to the best word.
        learning: uint8 (W,): words may gain occurrences.
        total: float32 (W,), sum of matching weights.
        colour, descriptor: int32 (W,), smallest mix and descriptor distance of a match.
        matched: uint8 (W,): what is known of the best word, see :mod:`first_word`.
        ordered: uint8 (W,): the words stand in the order of their weights.
        learns, spreads: uint8 (W,): the pixel was drawn to update a global word or a neighbour.
        foreground: uint8 (W,): no local consensus.
        hopeful: uint8 (W,), which head words are worth comparing, as bits.
        places: uint16 (W,), columns of the pixels at hand.
        patch: uint8 (48,), the 16 neighbours of each channel.
        levels: float32 (256,), word weight by evidence level.
        tail: float32 (64,), weights of the tail words.
    """

    bounds: Bytes
    bits: Bytes
    references: Bytes
    inter: Longs
    renewed: Longs
    weights: Floats
    l1: Ints
    learning: Bytes
    total: Floats
    colour: Ints
    descriptor: Ints
    matched: Bytes
    ordered: Bytes
    learns: Bytes
    spreads: Bytes
    foreground: Bytes
    hopeful: Bytes
    places: Shorts
    patch: Bytes
    levels: Floats
    tail: Floats


def create_rows(bands: int, width: int) -> Rows:
    """Room for the kept rows of all bands."""
    shape = (bands * SLOTS, width)

    def ints() -> Ints:
        return np.zeros(shape, np.int32)

    def shorts() -> Shorts:
        return np.zeros((shape[0], 2 * REACH + 1, width), np.uint16)

    return Rows(
        np.zeros(shape, np.int64), np.zeros(shape, np.float32), ints(), ints(), ints(),
        np.zeros(shape, np.uint8), shorts(), shorts(), np.zeros((shape[0], 2 * REACH + 1), np.int64),
    )  # fmt: skip


def create_newcomers(height: int, width: int, global_count: int) -> Newcomers:
    """Room for the newcomers of one frame."""
    return Newcomers(
        np.zeros(height, np.int64),
        np.zeros((height, width, 2), np.int32),
        np.zeros((height, width), np.float32),
        np.zeros((height, global_count), np.float64),
    )


def create_scratch(width: int) -> Scratch:
    """Scratch arrays of one band."""

    def longs() -> Longs:
        return np.zeros(width, np.int64)

    def ints() -> Ints:
        return np.zeros(width, np.int32)

    def bytes_() -> Bytes:
        return np.zeros(width, np.uint8)

    return Scratch(
        np.zeros((2, width), np.uint8), np.zeros((6, width), np.uint8), np.zeros((3, width), np.uint8),
        longs(), longs(), np.zeros((4, width), np.float32), ints(), bytes_(), np.zeros(width, np.float32),
        ints(), ints(), bytes_(), bytes_(), bytes_(), bytes_(), bytes_(), bytes_(),
        np.zeros(width, np.uint16), np.zeros(48, np.uint8), np.zeros(256, np.float32),
        np.zeros(64, np.float32),
    )  # fmt: skip


@inlined
def slot_of(y: int, height: int, step: int) -> int:
    """Slot of a row in bands of ``step`` rows, the first from RIM on."""
    band = (y - RIM) // step
    start = RIM + band * step
    stop = min(start + step, height - RIM)
    if y - start < _EDGE:
        place = y - start
    elif stop - y <= _EDGE:
        place = _EDGE + stop - y - 1
    else:
        place = 2 * _EDGE + y % _TURN
    return band * SLOTS + place

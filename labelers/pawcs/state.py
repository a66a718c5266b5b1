"""What the step of one frame reads and writes, as one argument each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import inlined, int64
from spotlabel.labelers.pawcs.model import GlobalWords, Maps, Pixel, Tick, Words
from spotlabel.labelers.pawcs.rows import Newcomers, Rows
from spotlabel.labelers.pawcs.settings import Rules

AHEAD = 6
"""Pixels by which memory is asked for early."""


class Model(NamedTuple):
    """All that the step reads and writes.

    Attributes:
        words, maps, globals: the model.
        rows, newcomers: what pixels ask for outside of themselves.
        rules: parameters.
    """

    words: Words
    maps: Maps
    globals: GlobalWords
    rows: Rows
    newcomers: Newcomers
    rules: Rules


class Frame(NamedTuple):
    """One frame.

    Attributes:
        planes: uint8 (3, H, W).
        table: uint8 (256,), similarity thresholds.
        tick: its number and what goes with it.
        stream: state of the C library's generator in parity mode, else empty.
        band: rows per band.
    """

    planes: npt.NDArray[np.uint8]
    table: npt.NDArray[np.uint8]
    tick: Tick
    stream: npt.NDArray[np.uint32]
    band: int


@inlined
def pixel_at(model: Model, frame: Frame, y: int, x: int, slot: int) -> Pixel:
    """A pixel of a kept row."""
    rows, tick = model.rows, frame.tick
    flat = rows.flat[slot, x] != 0
    return Pixel(
        y * model.maps.raw.shape[1] + x, x, y, rows.intra[slot, x],
        int64(frame.planes[0, y, x]), int64(frame.planes[1, y, x]), int64(frame.planes[2, y, x]),
        flat, int64(rows.colour_limit[slot, x]), int64(rows.descriptor_limit[slot, x]),
        rows.needed[slot, x],
        (1 + tick.cooldown) << int64(flat or tick.bootstrapping),
        int64(rows.update_rate[slot, x]),
    )  # fmt: skip

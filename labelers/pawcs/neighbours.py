"""Whom a pixel asks to learn from it, and the answers, row by row (TIP 2016, III-C)."""

from __future__ import annotations

import numpy as np

from spotlabel.labelers.pawcs.jit import inlined, int64, prefetch
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import HEAD, Pixel
from spotlabel.labelers.pawcs.rng import DRAW_DIRECTION, draw
from spotlabel.labelers.pawcs.rows import REACH, slot_of
from spotlabel.labelers.pawcs.spread import spread
from spotlabel.labelers.pawcs.state import AHEAD, Frame, Model, pixel_at

NEAR = np.array(((-1, 1), (0, 1), (1, 1), (-1, 0), (1, 0), (-1, -1), (0, -1), (1, -1)), np.int64)
FAR = np.array([(x, y) for y in (2, 1, 0, -1, -2) for x in (-2, -1, 0, 1, 2) if x or y], np.int64)
_ALL = np.concatenate((FAR, NEAR))


@inlined
def ask_neighbour(model: Model, frame: Frame, pixel: Pixel, slot: int, at_once: bool) -> None:
    """Choose a neighbour to spread to; spread at once or note it."""
    height, width = model.maps.raw.shape
    far = pixel.flat or frame.tick.moving
    number = draw(24 if far else 8, frame.stream, frame.tick.key, pixel.number, DRAW_DIRECTION)
    shift = _ALL[number if far else 24 + number]
    x = min(max(pixel.x + shift[0], RIM), width - RIM - 1)
    y = min(max(pixel.y + shift[1], RIM), height - RIM - 1)
    if at_once:
        spread(model.words, model.maps, pixel, y, x, frame.tick, frame.stream)
        return
    down = y - pixel.y + REACH
    place = model.rows.asked[slot, down]
    model.rows.askers[slot, down, place] = pixel.x
    model.rows.targets[slot, down, place] = x
    model.rows.asked[slot, down] = place + 1


@inlined
def grant_row(row: int, model: Model, frame: Frame) -> None:
    """Grant the neighbour updates whose targets lie in a row, in the askers' order."""
    height, width = model.maps.raw.shape
    for y in range(max(row - REACH, RIM), min(row + REACH + 1, height - RIM)):
        slot = slot_of(y, height, frame.band)
        down = row - y + REACH
        asked, targets = model.rows.asked[slot, down], model.rows.targets[slot, down]
        for place in range(asked):
            ahead = int64(targets[min(place + AHEAD, asked - 1)])
            prefetch(model.words.head, (row * width + ahead) * 2 * HEAD)
            pixel = pixel_at(model, frame, y, int64(model.rows.askers[slot, down, place]), slot)
            spread(model.words, model.maps, pixel, row, int64(targets[place]), frame.tick, frame.stream)

"""The pixel-wise step of one frame, in two phases: segmentation, feedback and neighbour updates.

Phase one takes rows independently of each other: it writes nothing but its own pixels' state, illumination
counters of its own row and global map cells of its own pair of rows, and notes what it wants of others.
Neighbour updates are granted row by row of the target, once all rows that may ask are done, in the order of
the asking pixels: two rows behind phase one where a band of rows has all that it needs, and for the rows at
the edges of a band in phase two. So the result does not depend on how the rows were shared out. In parity
mode all is done at once, in pixel order, as in pybgs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.evidence import NEUTRAL, background_level, foreground_level
from spotlabel.labelers.pawcs.feedback import adapt_row, judge_row, observe_row
from spotlabel.labelers.pawcs.first_word import (
    DIFFERS,
    MATCHES,
    UNKNOWN,
    begin_row,
    check_order,
    draw_row,
    first_colours,
    limit_row,
    match_first,
    may_learn,
    mix_row,
    prefetch_tails,
    weigh_head,
)
from spotlabel.labelers.pawcs.global_words import find_global, learn_global, note_newcomer, replace_global
from spotlabel.labelers.pawcs.jit import compiled, float32, inlined, int64, population_count
from spotlabel.labelers.pawcs.lbsp import RIM, describe_row
from spotlabel.labelers.pawcs.model import HEAD, GlobalWords, Maps, Pixel, Tick, Words, weight
from spotlabel.labelers.pawcs.order import order_head, order_tail
from spotlabel.labelers.pawcs.rng import (
    DRAW_DIRECTION,
    DRAW_LEARN,
    DRAW_REPLACE,
    DRAW_RESCUE,
    DRAW_SPREAD,
    draw,
)
from spotlabel.labelers.pawcs.rows import REACH, Newcomers, Rows, Scratch, slot_of
from spotlabel.labelers.pawcs.settings import Rules
from spotlabel.labelers.pawcs.spread import replace_last_word, spread
from spotlabel.labelers.pawcs.words import scan_words

FOREGROUND = 255
NEAR = np.array(((-1, 1), (0, 1), (1, 1), (-1, 0), (1, 0), (-1, -1), (0, -1), (1, -1)), np.int64)
FAR = np.array([(x, y) for y in (2, 1, 0, -1, -2) for x in (-2, -1, 0, 1, 2) if x or y], np.int64)


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


@compiled
def step_rows(start: int, stop: int, model: Model, frame: Frame, scratch: Scratch) -> int:
    """Phase one over rows start..stop-1, one band; all phases in parity mode.

    Args:
        start, stop: rows; both even, or the ends of the modelled area.
        model: the model; written.
        frame: the frame.
        scratch: of this band.

    Returns:
        Number of flat pixels.
    """
    height, width = model.maps.raw.shape
    at_once = frame.stream.size > 0
    flats = 0
    for y in range(start, stop):
        slot = slot_of(y, height, frame.band)
        flats += _look_at_row(model, frame, scratch, y, slot)
        for shift in range(2 * REACH + 1):
            model.rows.asked[slot, shift] = 0
        model.newcomers.asked[y] = 0
        model.newcomers.gained[y] = 0
        for x in range(RIM, width - RIM):
            if at_once:
                _look_again(model, frame, scratch, y, x, slot)
            _step_pixel(model, frame, scratch, y, x, slot, at_once)
        _adapt(model, frame, scratch, y, slot)
        if y >= start + 2 * REACH and not at_once:
            _grant_row(y - REACH, model, frame)
    return flats


@compiled
def _look_at_row(model: Model, frame: Frame, scratch: Scratch, y: int, slot: int) -> int:
    """Row-wise passes before the pixels' turn; returns the number of flat pixels."""
    words, maps, rows, tick = model.words, model.maps, model.rows, frame.tick
    width = maps.raw.shape[1]
    first = y * width + RIM
    here, there = slice(RIM, width - RIM), slice(first, first + width - 2 * RIM)
    head, intra, flat = words.head[there], rows.intra[slot, here], rows.flat[slot, here]
    planes, table = frame.planes, frame.table
    describe_row(planes, y, planes[:, y], table, scratch.bounds, scratch.bits, rows.intra[slot])
    flats = limit_row(
        maps.distance[y, here], maps.rate[y, here], maps.unstable[y, here], intra, model.rules,
        rows.colour_limit[slot, here], rows.descriptor_limit[slot, here], rows.update_rate[slot, here], flat,
    )  # fmt: skip
    if frame.stream.size > 0:
        return flats
    b0, b1, b2 = scratch.references[0, here], scratch.references[1, here], scratch.references[2, here]
    first_colours(head, b0, b1, b2)
    describe_row(planes, y, scratch.references, table, scratch.bounds, scratch.bits, scratch.inter)
    w0, w1, w2, w3 = (
        scratch.weights[0, here], scratch.weights[1, here], scratch.weights[2, here], scratch.weights[3, here]
    )  # fmt: skip
    weigh_head(
        head, maps.distance[y, here], tick.clock, tick.weight_offset, w0, w1, w2, w3, rows.needed[slot, here]
    )
    check_order(
        w0, w1, w2, w3, words.fifth[there], words.sorted_until[there], words.unsorted[there],
        tick.clock, tick.weight_offset, scratch.ordered[here],
    )  # fmt: skip
    mix, l1 = scratch.colour[here], scratch.l1[here]
    mix_row(planes[0, y, here], planes[1, y, here], planes[2, y, here], b0, b1, b2, l1, mix)
    may_learn(maps.last_mask[y, here], maps.held[y, here], tick.moving, scratch.learning[here])
    match_first(
        head, intra, scratch.inter[here], l1, mix, w0,
        rows.colour_limit[slot, here], rows.descriptor_limit[slot, here], flat, maps.unstable[y, here],
        scratch.learning[here], tick.clock, (1 + tick.cooldown) << int64(tick.bootstrapping),
        tick.bootstrapping, scratch.renewed[here], scratch.descriptor[here], scratch.matched[here],
    )  # fmt: skip
    prefetch_tails(words, first, scratch.ordered[here], scratch.matched[here])
    begin_row(intra, w0, maps.descriptor[y, here], scratch.total[here], scratch.foreground[here])
    draw_row(tick.key, first, rows.update_rate[slot, here], scratch.learns[here], scratch.spreads[here])
    return flats


@inlined
def _look_again(model: Model, frame: Frame, scratch: Scratch, y: int, x: int, slot: int) -> None:
    """What neighbour updates granted at once may have changed since the row was looked at."""
    index = y * model.maps.raw.shape[1] + x
    for place in range(HEAD):
        high = model.words.head[index, 2 * place + 1]
        scratch.weights[place, x] = weight(high, frame.tick.clock, frame.tick.weight_offset)
    model.rows.needed[slot, x] = scratch.weights[0, x] / (model.maps.distance[y, x] * float32(2))
    scratch.matched[x] = UNKNOWN
    scratch.foreground[x] = 0


@inlined
def _pixel(model: Model, frame: Frame, y: int, x: int, slot: int) -> Pixel:
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


@inlined
def _step_pixel(
    model: Model, frame: Frame, scratch: Scratch, y: int, x: int, slot: int, at_once: bool
) -> None:
    """Segment one pixel, let it learn, note or do what it wants elsewhere."""
    words, maps, tick = model.words, model.maps, frame.tick
    pixel = _pixel(model, frame, y, x, slot)
    if scratch.matched[x] == MATCHES:
        words.head[pixel.number, 1] = scratch.renewed[x]
        if scratch.ordered[x] == 0:
            last_weight = order_head(words, pixel.number, 1, scratch.weights, x, scratch.weights[0, x])
            order_tail(words, pixel.number, tick, scratch.tail, last_weight)
    else:
        total, colour, descriptor = scan_words(
            words, maps, pixel, tick, frame.planes, frame.table, scratch,
            int64(scratch.matched[x] == DIFFERS), frame.stream,
        )  # fmt: skip
        scratch.total[x], scratch.colour[x], scratch.descriptor[x] = total, colour, descriptor
    if scratch.total[x] < pixel.needed:
        scratch.foreground[x] = 1
        if tick.with_level:
            maps.level[y, x] = foreground_level(words, pixel, tick, frame.planes, frame.table, scratch)
        _treat_foreground(words, maps, model.globals, pixel, tick, scratch.total[x], frame.stream)
    else:
        if tick.with_level:
            maps.level[y, x] = background_level(pixel, int64(scratch.colour[x]), int64(scratch.descriptor[x]))
        maps.raw[y, x] = 0
        if _drawn(pixel, frame, DRAW_LEARN) if at_once else scratch.learns[x] != 0:
            _learn_globally(model, frame, pixel, scratch.total[x], at_once)
    if tick.moving or (
        maps.raw[y, x] == 0 and (_drawn(pixel, frame, DRAW_SPREAD) if at_once else scratch.spreads[x] != 0)
    ):
        _ask_neighbour(model, frame, pixel, slot, at_once)
    if maps.illumination[y, x] > 0:
        maps.illumination[y, x] -= 1
    if at_once:
        maps.descriptor[y, x] = pixel.descriptor


@inlined
def _drawn(pixel: Pixel, frame: Frame, purpose: int) -> bool:
    """Whether the pixel is drawn, at its update rate."""
    return draw(pixel.update_rate, frame.stream, frame.tick.key, pixel.number, purpose) == 0


@inlined
def _treat_foreground(
    words: Words,
    maps: Maps,
    globals_: GlobalWords,
    pixel: Pixel,
    tick: Tick,
    total: float,
    stream: npt.NDArray[np.uint32],
) -> None:
    """A pixel without local consensus: a global word may save it; if it is all new, it is remembered."""
    maps.raw[pixel.y, pixel.x] = FOREGROUND
    if pixel.flat or draw(pixel.update_rate, stream, tick.key, pixel.number, DRAW_RESCUE) == 0:
        slot = find_global(globals_, pixel, population_count(pixel.descriptor))
        if slot >= 0:
            share = float32(2) if pixel.flat else float32(4)
            if total + globals_.maps[slot, pixel.y // 2, pixel.x // 2] / share >= pixel.needed:
                maps.raw[pixel.y, pixel.x] = 0
                maps.level[pixel.y, pixel.x] = NEUTRAL
    if total < tick.newcomer_weight and maps.held[pixel.y, pixel.x] == 0:
        replace_last_word(words, pixel.number, pixel, tick)


@inlined
def _learn_globally(model: Model, frame: Frame, pixel: Pixel, total: float, at_once: bool) -> None:
    """A background pixel, if drawn, strengthens its global word, or asks to become one."""
    slot = find_global(model.globals, pixel, population_count(pixel.descriptor))
    if slot >= 0:
        gain = learn_global(model.globals, slot, pixel.y, pixel.x, total)
        if at_once:
            model.globals.totals[slot] += gain
        else:
            model.newcomers.gained[pixel.y, slot] += gain
    elif draw(2 * pixel.update_rate, frame.stream, frame.tick.key, pixel.number, DRAW_REPLACE) == 0:
        if at_once:
            replace_global(model.globals, pixel, total)
        else:
            note_newcomer(model.newcomers, pixel, total)


@inlined
def _ask_neighbour(model: Model, frame: Frame, pixel: Pixel, slot: int, at_once: bool) -> None:
    """Choose a neighbour to spread to; spread at once or note it."""
    height, width = model.maps.raw.shape
    if pixel.flat or frame.tick.moving:
        shift = FAR[draw(24, frame.stream, frame.tick.key, pixel.number, DRAW_DIRECTION)]
    else:
        shift = NEAR[draw(8, frame.stream, frame.tick.key, pixel.number, DRAW_DIRECTION)]
    x = min(max(pixel.x + shift[0], RIM), width - RIM - 1)
    y = min(max(pixel.y + shift[1], RIM), height - RIM - 1)
    if at_once:
        spread(model.words, model.maps, pixel, y * width + x, frame.tick, frame.stream)
        return
    down = y - pixel.y + REACH
    place = model.rows.asked[slot, down]
    model.rows.askers[slot, down, place] = pixel.x
    model.rows.targets[slot, down, place] = x
    model.rows.asked[slot, down] = place + 1


@inlined
def _adapt(model: Model, frame: Frame, scratch: Scratch, y: int, slot: int) -> None:
    """Row-wise passes after the pixels' turn: the feedback."""
    maps, rows, tick, rules = model.maps, model.rows, frame.tick, model.rules
    here = slice(RIM, maps.raw.shape[1] - RIM)
    distance_long, distance_short = maps.mean_distance[0, y, here], maps.mean_distance[1, y, here]
    raw_long, raw_short = maps.mean_raw[0, y, here], maps.mean_raw[1, y, here]
    observe_row(
        scratch.colour[here], scratch.descriptor[here], scratch.total[here], rows.needed[slot, here],
        scratch.foreground[here], tick.blend_long, tick.blend_short,
        distance_long, distance_short, raw_long, raw_short,
    )  # fmt: skip
    judge_row(
        maps.distance[y, here], raw_long, raw_short, maps.mean_final[0, y, here], maps.mean_final[1, y, here],
        rules, maps.unstable[y, here],
    )  # fmt: skip
    adapt_row(
        distance_long, distance_short, maps.last_mask[y, here], maps.raw[y, here], maps.blinking[y, here],
        rows.flat[slot, here], rules, tick.bootstrapping,
        maps.rate[y, here], maps.variation[y, here], maps.distance[y, here],
    )  # fmt: skip


@inlined
def _grant_row(row: int, model: Model, frame: Frame) -> None:
    """Grant the neighbour updates whose targets lie in a row, in the askers' order."""
    height, width = model.maps.raw.shape
    for y in range(max(row - REACH, RIM), min(row + REACH + 1, height - RIM)):
        slot = slot_of(y, height, frame.band)
        down = row - y + REACH
        for place in range(model.rows.asked[slot, down]):
            pixel = _pixel(model, frame, y, int64(model.rows.askers[slot, down, place]), slot)
            target = row * width + int64(model.rows.targets[slot, down, place])
            spread(model.words, model.maps, pixel, target, frame.tick, frame.stream)


@compiled
def grant_edges(start: int, stop: int, model: Model, frame: Frame) -> None:
    """Phase two: the neighbour updates whose targets lie in the outer rows of the band start..stop-1."""
    for row in range(start, stop):
        if row < start + REACH or row >= stop - REACH:
            _grant_row(row, model, frame)

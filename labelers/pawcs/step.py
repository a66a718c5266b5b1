"""The pixel-wise step of one frame, in two phases: segmentation, feedback and neighbour updates.

Phase one takes rows independently of each other: it writes nothing but its own pixels' state, illumination
counters of its own row and global map cells of its own pair of rows, and notes what it wants of others.
Neighbour updates are granted row by row of the target, once all rows that may ask are done, in the order of
the asking pixels: two rows behind phase one where a band of rows has all that it needs, and for the rows at
the edges of a band in phase two. So the result does not depend on how the rows were shared out. In parity
mode all is done at once, in pixel order, as in pybgs.
"""

from __future__ import annotations

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
    weigh_head,
)
from spotlabel.labelers.pawcs.global_words import find_global, learn_global, note_newcomer, replace_global
from spotlabel.labelers.pawcs.jit import compiled, float32, inlined, int64, population_count, prefetch
from spotlabel.labelers.pawcs.lbsp import RIM, describe_row
from spotlabel.labelers.pawcs.model import (
    ALL_SORTED,
    HEAD,
    GlobalWords,
    Maps,
    Pixel,
    Tick,
    Words,
    tail_size,
    weight,
)
from spotlabel.labelers.pawcs.neighbours import ask_neighbour, grant_row
from spotlabel.labelers.pawcs.order import order_head, order_tail
from spotlabel.labelers.pawcs.rng import (
    DRAW_LEARN,
    DRAW_REPLACE,
    DRAW_RESCUE,
    DRAW_SPREAD,
    draw,
)
from spotlabel.labelers.pawcs.rows import REACH, Scratch, slot_of
from spotlabel.labelers.pawcs.spread import replace_last_word
from spotlabel.labelers.pawcs.state import AHEAD, Frame, Model, pixel_at
from spotlabel.labelers.pawcs.words import hopeful_head, light_row, scan_words, settle_light

FOREGROUND = 255


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
        light_row(model.maps.illumination[y, RIM : width - RIM])
        if at_once:
            for x in range(RIM, width - RIM):
                _step_at_once(model, frame, scratch, y, x, slot)
        else:
            _step_row(model, frame, scratch, y, slot)
        settle_light(model.maps.illumination[y, RIM : width - RIM])
        _adapt(model, frame, scratch, y, slot)
        if y >= start + 2 * REACH and not at_once:
            grant_row(y - REACH, model, frame)
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
    begin_row(intra, w0, maps.descriptor[y, here], scratch.total[here], scratch.foreground[here])
    draw_row(tick.key, first, rows.update_rate[slot, here], scratch.learns[here], scratch.spreads[here])
    return flats


@inlined
def _step_at_once(model: Model, frame: Frame, scratch: Scratch, y: int, x: int, slot: int) -> None:
    """Segment one pixel and do all that it wants elsewhere, before the next one's turn."""
    words, maps, tick = model.words, model.maps, frame.tick
    for place in range(HEAD):  # neighbour updates may have changed them since the row was looked at
        high = words.head[y * maps.raw.shape[1] + x, 2 * place + 1]
        scratch.weights[place, x] = weight(high, tick.clock, tick.weight_offset)
    model.rows.needed[slot, x] = scratch.weights[0, x] / (maps.distance[y, x] * float32(2))
    pixel = pixel_at(model, frame, y, x, slot)
    scratch.matched[x] = UNKNOWN
    _scan_pixel(model, frame, scratch, pixel, hopeful_head(words, pixel))
    scratch.foreground[x] = scratch.total[x] < pixel.needed
    if tick.with_level:
        _note_level(model, frame, scratch, pixel)
    if scratch.foreground[x] != 0:
        _treat_foreground(words, maps, model.globals, pixel, tick, scratch.total[x], frame.stream)
    elif _drawn(pixel, frame, DRAW_LEARN):
        _learn_globally(model, frame, pixel, scratch.total[x], True)
    if tick.moving or (maps.raw[y, x] == 0 and _drawn(pixel, frame, DRAW_SPREAD)):
        ask_neighbour(model, frame, pixel, slot, True)
    maps.descriptor[y, x] = pixel.descriptor


@inlined
def _step_row(model: Model, frame: Frame, scratch: Scratch, y: int, slot: int) -> None:
    """Segment a row of pixels, let them learn, note what they want elsewhere.

    One pass for each kind of work, over the pixels that have it: no branch depends on which those are.
    """
    words, maps, tick, places = model.words, model.maps, frame.tick, scratch.places
    width = maps.raw.shape[1]
    count = 0
    for x in range(RIM, width - RIM):
        places[count] = x
        count += int64(scratch.matched[x] != MATCHES or scratch.ordered[x] == 0)
        place = y * width + x
        words.head[place, 1] = scratch.renewed[x] if scratch.matched[x] == MATCHES else words.head[place, 1]
    for k in range(min(AHEAD, count)):
        _look_ahead(model, frame, scratch, y, int64(places[k]), slot)
    for k in range(count):
        if k + AHEAD < count:
            _look_ahead(model, frame, scratch, y, int64(places[k + AHEAD]), slot)
        x = int64(places[k])
        pixel = pixel_at(model, frame, y, x, slot)
        if scratch.matched[x] == MATCHES:
            last_weight = order_head(words, pixel.number, 1, scratch.weights, x, scratch.weights[0, x])
            order_tail(words, pixel.number, tick, scratch.tail, last_weight)
        else:
            _scan_pixel(model, frame, scratch, pixel, int64(scratch.hopeful[x]))
    count = 0
    for x in range(RIM, width - RIM):
        foreground = scratch.total[x] < model.rows.needed[slot, x]
        scratch.foreground[x] = foreground
        places[count] = x
        count += int64(foreground or scratch.learns[x] != 0)
        if tick.with_level:
            _note_level(model, frame, scratch, pixel_at(model, frame, y, x, slot))
    for k in range(count):
        x = int64(places[k])
        pixel = pixel_at(model, frame, y, x, slot)
        if scratch.foreground[x] != 0:
            _treat_foreground(words, maps, model.globals, pixel, tick, scratch.total[x], frame.stream)
        else:
            _learn_globally(model, frame, pixel, scratch.total[x], False)
    count = 0
    for x in range(RIM, width - RIM):
        places[count] = x
        count += int64(tick.moving or (maps.raw[y, x] == 0 and scratch.spreads[x] != 0))
    for k in range(count):
        ask_neighbour(model, frame, pixel_at(model, frame, y, int64(places[k]), slot), slot, False)


@inlined
def _look_ahead(model: Model, frame: Frame, scratch: Scratch, y: int, x: int, slot: int) -> None:
    """Tell which head words are worth comparing, and ask early for the tail words that will be needed."""
    words, pixel = model.words, pixel_at(model, frame, y, x, slot)
    size = tail_size(words)
    begin = pixel.number * 2 * size
    if scratch.matched[x] != MATCHES:
        hopeful = hopeful_head(words, pixel)
        scratch.hopeful[x] = hopeful
        promise = float32(0)
        for index in range(int64(scratch.matched[x] == DIFFERS), HEAD):
            promise += scratch.weights[index, x] if hopeful >> index & 1 != 0 else float32(0)
        if promise < pixel.needed:
            for line in range(0, 2 * size, 8):
                prefetch(words.tail, begin + line)
            return
    place = int64(words.unsorted[pixel.number]) & 0xFF
    place = max(place - HEAD - 1, 0) if place < ALL_SORTED else 0
    prefetch(words.tail, begin + size + place)
    prefetch(words.tail, begin + size + place + 8)


@inlined
def _scan_pixel(model: Model, frame: Frame, scratch: Scratch, pixel: Pixel, hopeful: int) -> None:
    """Compare a pixel with its words."""
    x = pixel.x
    total, colour, descriptor = scan_words(
        model.words, model.maps, pixel, frame.tick, frame.planes, frame.table, scratch,
        int64(scratch.matched[x] == DIFFERS), hopeful, frame.stream,
    )  # fmt: skip
    scratch.total[x], scratch.colour[x], scratch.descriptor[x] = total, colour, descriptor


@inlined
def _note_level(model: Model, frame: Frame, scratch: Scratch, pixel: Pixel) -> None:
    """Distance evidence of a pixel."""
    x, words, tick = pixel.x, model.words, frame.tick
    if scratch.foreground[x] != 0:
        level = foreground_level(words, pixel, tick, frame.planes, frame.table, scratch)
    else:
        level = background_level(pixel, int64(scratch.colour[x]), int64(scratch.descriptor[x]))
    model.maps.level[pixel.y, x] = level


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


@compiled
def grant_edges(start: int, stop: int, model: Model, frame: Frame) -> None:
    """Phase two: the neighbour updates whose targets lie in the outer rows of the band start..stop-1."""
    for row in range(start, stop):
        if row < start + REACH or row >= stop - REACH:
            grant_row(row, model, frame)

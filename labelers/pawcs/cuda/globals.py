"""Global words on the device: search by pixel, weights by cell, newcomers by video (TIP 2016, III-B)."""

from __future__ import annotations

from spotlabel.labelers.pawcs.cuda.views import NEWCOMER, NOTHING, Findings, PixelStates, pixel_of
from spotlabel.labelers.pawcs.evidence import NEUTRAL
from spotlabel.labelers.pawcs.global_words import (
    MAP_SCALE,
    _newcomer,
    find_global,
    fits_global,
    learn_global,
    note_newcomer,
    set_global,
)
from spotlabel.labelers.pawcs.jit import float32, int64, population_count
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import Bytes, GlobalWords, Longs, Maps, Pixel, Tick
from spotlabel.labelers.pawcs.rng import DRAW_LEARN, DRAW_REPLACE, DRAW_RESCUE, chance
from spotlabel.labelers.pawcs.rows import Newcomers
from spotlabel.labelers.pawcs.step import FOREGROUND


def consult(words: GlobalWords, findings: Findings, pixel: Pixel, tick: Tick) -> None:
    """Find the global word that may save a foreground pixel, or that a background pixel strengthens."""
    number, rate = pixel.number, pixel.update_rate
    foreground = findings.foreground[number] != 0
    slot = int64(NOTHING)
    purpose = DRAW_RESCUE if foreground else DRAW_LEARN
    if (foreground and pixel.flat) or chance(tick.key, number, purpose, rate):
        slot = find_global(words, pixel, population_count(pixel.descriptor))
        if slot < 0:
            newcomer = not foreground and chance(tick.key, number, DRAW_REPLACE, 2 * rate)
            slot = int64(NEWCOMER) if newcomer else int64(NOTHING)
    findings.slot[number] = slot


def settle_cell(
    words: GlobalWords, maps: Maps, findings: Findings, states: PixelStates, row: int, column: int
) -> None:
    """Raw segmentation of the pixels that share a cell of the weight maps, in their order.

    Args:
        words: of one video; the cell's weights are written.
        maps: ``raw``, and ``level`` of saved pixels, are written.
        findings: ``slot`` is left at the word that gained ``total``, at NEWCOMER or at NOTHING.
        states: of this frame.
        row, column: of the cell.
    """
    height, width = maps.raw.shape
    for y in range(MAP_SCALE * row, min(MAP_SCALE * row + MAP_SCALE, height - RIM)):
        for x in range(MAP_SCALE * column, min(MAP_SCALE * column + MAP_SCALE, width - RIM)):
            number = y * width + x
            slot, total = int64(findings.slot[number]), findings.total[number]
            raw = int64(0)
            if findings.foreground[number] != 0:
                raw = int64(FOREGROUND)
                if slot != NOTHING:
                    share = float32(2) if states.flat[number] != 0 else float32(4)
                    if total + words.maps[slot, row, column] / share >= states.needed[number]:
                        raw = int64(0)
                        maps.level[y, x] = NEUTRAL
                slot = int64(NOTHING)
            elif slot < NEWCOMER and learn_global(words, slot, y, x, total) == float32(0):
                slot = int64(NOTHING)
            maps.raw[y, x] = raw
            findings.slot[number] = slot


def gather_row(
    newcomers: Newcomers,
    findings: Findings,
    states: PixelStates,
    maps: Maps,
    planes: Bytes,
    tick: Tick,
    y: int,
) -> int:
    """Sum up what a row gives the global words and list its newcomers; returns its number of flat pixels."""
    width = maps.raw.shape[1]
    newcomers.asked[y] = 0
    for slot in range(newcomers.gained.shape[1]):
        newcomers.gained[y, slot] = 0
    flats = int64(0)
    for x in range(RIM, width - RIM):
        number = y * width + x
        flats += int64(states.flat[number])
        slot = int64(findings.slot[number])
        if slot == NEWCOMER:
            note_newcomer(newcomers, pixel_of(states, maps, planes, tick, y, x), findings.total[number])
        elif slot != NOTHING:
            newcomers.gained[y, slot] += findings.total[number]
    return flats


def book_gains(words: GlobalWords, newcomers: Newcomers, slot: int) -> None:
    """Add up what a global word gained."""
    gain = 0.0
    for y in range(RIM, newcomers.gained.shape[0] - RIM):
        gain += newcomers.gained[y, slot]
    words.totals[slot] += float32(gain)


def number_newcomers(newcomers: Newcomers, offsets: Longs) -> None:
    """Number the newcomers of all rows through: those of row y begin at ``offsets[y]``, int64 (H + 1,)."""
    count = int64(0)
    for y in range(newcomers.asked.size):
        offsets[y] = count
        if y >= RIM and y < newcomers.asked.size - RIM:
            count += newcomers.asked[y]
    offsets[newcomers.asked.size] = count


def _row_of(offsets: Longs, number: int) -> int:
    """Row of a newcomer: the last one that begins at or before it."""
    low, high = int64(0), int64(offsets.size - 1)
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[middle] <= number:
            low = middle
        else:
            high = middle
    return low


def load_candidate(
    newcomers: Newcomers, planes: Bytes, descriptors: Longs, offsets: Longs, number: int, candidate: Longs
) -> None:
    """Gather a newcomer's features and thresholds into ``candidate``, int64 (7,): features, two limits."""
    y = _row_of(offsets, number)
    pixel = _newcomer(newcomers, planes, descriptors, y, number - offsets[y])
    candidate[0], candidate[1], candidate[2], candidate[3] = pixel.descriptor, pixel.c0, pixel.c1, pixel.c2
    candidate[4] = population_count(pixel.descriptor)
    candidate[5], candidate[6] = pixel.colour_limit, pixel.descriptor_limit


def follow_candidates(candidates: Longs, count: int, start: int, newest: Longs, last: int) -> int:
    """Go on from newcomer to newcomer that does not fit the newest one before it.

    Args:
        candidates: int64 (n, 7), see :func:`load_candidate`.
        count: how many there are.
        start: number of the first.
        newest: int64 (7,), the newest so far; written.
        last: its number, -1 before the first.

    Returns:
        Number of the newest.
    """
    for place in range(count):
        own = candidates[place]
        pixel = Pixel(
            0, 0, 0, own[0], own[1], own[2], own[3], False, own[5], own[6], float32(0), 1, 1
        )  # fmt: skip
        if last < 0 or not fits_global(newest, pixel, own[4]):
            last = int64(start + place)
            for field in range(newest.size):
                newest[field] = own[field]
    return last


def admit_newcomers(
    words: GlobalWords, newcomers: Newcomers, planes: Bytes, descriptors: Longs, offsets: Longs, last: int
) -> None:
    """Let newcomers become the last global word; its map is clear.

    As :func:`spotlabel.labelers.pawcs.global_words.replace_newcomers`, but only the last of them that fits
    none before it leaves a trace; so the weights need to be written from it on only.

    Args:
        words: of one video; written.
        newcomers: of this frame.
        planes: uint8 (3, H, W), the frame.
        descriptors: int64 (H, W), of the frame.
        offsets: int64 (H + 1,), see :func:`number_newcomers`.
        last: number of that newcomer.
    """
    slot = words.order[words.order.size - 1]
    y = _row_of(offsets, last)
    set_global(words, slot, _newcomer(newcomers, planes, descriptors, y, last - offsets[y]))
    for number in range(last, offsets[offsets.size - 1]):
        while number >= offsets[y + 1]:
            y += 1
        pixel = _newcomer(newcomers, planes, descriptors, y, number - offsets[y])
        words.totals[slot] += learn_global(words, slot, y, pixel.x, pixel.needed)


def order_pixel(words: GlobalWords, number: int, y: int, x: int) -> None:
    """One ordering pass, by the weight around it, over a pixel's own order of the global words."""
    row, column = y // MAP_SCALE, x // MAP_SCALE
    last = words.maps[int64(words.local_order[number, 0]), row, column]
    for place in range(1, words.totals.size):
        slot = int64(words.local_order[number, place])
        here = words.maps[slot, row, column]
        if here > last:
            words.local_order[number, place] = words.local_order[number, place - 1]
            words.local_order[number, place - 1] = slot
        else:
            last = here

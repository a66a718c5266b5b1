"""The per-pixel step of one frame, in two phases.

Phase one takes rows independently of each other: it writes nothing but its own pixels' state, illumination
counters of its own row and global map cells of its own pair of rows, and notes what it wants of others. Phase
two grants neighbour updates, each target row by its owner, in the order of the asking pixels; so the result
does not depend on how the rows were shared out. In parity mode all is done at once, in pixel order, as in
pybgs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelers.pawcs.evidence import NEUTRAL, background_level, foreground_level
from labelers.pawcs.feedback import adapt, colour_limit, descriptor_limit, observe, update_rate
from labelers.pawcs.global_words import find_global, learn_global, note_newcomer, replace_global
from labelers.pawcs.jit import compiled, float32, inlined, int64, population_count
from labelers.pawcs.lbsp import FLAT_BITS, RIM, describe_row
from labelers.pawcs.model import GlobalWords, Maps, Pixel, Requests, Scratch, Tick, Words, weight
from labelers.pawcs.rng import DRAW_DIRECTION, DRAW_LEARN, DRAW_REPLACE, DRAW_RESCUE, DRAW_SPREAD, draw
from labelers.pawcs.settings import Rules
from labelers.pawcs.words import replace_last_word, scan_words, spread

FOREGROUND = 255
_NEAR = np.array(((-1, 1), (0, 1), (1, 1), (-1, 0), (1, 0), (-1, -1), (0, -1), (1, -1)), np.int64)
_FAR = np.array([(x, y) for y in (2, 1, 0, -1, -2) for x in (-2, -1, 0, 1, 2) if x or y], np.int64)


@compiled
def step_rows(
    start: int,
    stop: int,
    planes: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    words: Words,
    maps: Maps,
    globals_: GlobalWords,
    requests: Requests,
    rules: Rules,
    tick: Tick,
    scratch: Scratch,
    stream: npt.NDArray[np.uint32],
) -> int:
    """Phase one over rows start..stop-1 (all phases in parity mode).

    Args:
        start, stop: rows; both even, or the ends of the modelled area.
        planes: uint8 (3, H, W), the frame.
        table: uint8 (256,), similarity thresholds.
        words, maps, globals_: the model.
        requests: where to note what is wanted outside the pixel.
        rules, tick: parameters and frame.
        scratch: of this band.
        stream: state of the C library's generator in parity mode, else empty.

    Returns:
        Number of flat pixels.
    """
    width = planes.shape[2]
    at_once = stream.size > 0
    flat_count = 0
    for y in range(start, stop):
        describe_row(planes, y, planes[:, y], table, scratch.bounds, scratch.bits, scratch.intra)
        if not at_once:
            _first_colours(words, y, scratch.references)
            describe_row(planes, y, scratch.references, table, scratch.bounds, scratch.bits, scratch.inter)
        requests.counts[y] = 0
        requests.gained[y] = 0
        for x in range(RIM, width - RIM):
            pixel = _look(planes, words, maps, rules, tick, y, x, scratch.intra[x])
            flat_count += pixel.flat
            total, colour, descriptor = scan_words(
                words, maps, pixel, tick, planes, table, scratch.patch, scratch.inter[x], stream
            )
            foreground = total < pixel.needed
            observe(maps, pixel, tick, total, colour, descriptor, foreground)
            if foreground:
                if tick.with_level:
                    maps.level[y, x] = foreground_level(words, pixel, tick, planes, table, scratch)
                _treat_foreground(words, maps, globals_, pixel, tick, total, stream)
            else:
                if tick.with_level:
                    maps.level[y, x] = background_level(pixel, colour, descriptor)
                maps.raw[y, x] = 0
                _learn_globally(maps, globals_, requests, pixel, tick, total, at_once, stream)
            if tick.moving or (
                maps.raw[y, x] == 0
                and draw(pixel.update_rate, stream, tick.key, pixel.number, DRAW_SPREAD) == 0
            ):
                _ask_neighbour(words, maps, requests, pixel, tick, at_once, stream)
            if maps.illumination[y, x] > 0:
                maps.illumination[y, x] -= 1
            adapt(maps, rules, pixel, tick)
            maps.descriptor[y, x] = pixel.descriptor
    return flat_count


@inlined
def _first_colours(words: Words, y: int, references: npt.NDArray[np.uint8]) -> None:
    """Colours of the best word of each pixel of a row."""
    width = references.shape[1]
    for x in range(width):
        low = words.head[y * width + x, 0]
        references[0, x] = (low >> 48) & 0xFF
        references[1, x] = (low >> 56) & 0xFF
        references[2, x] = words.head[y * width + x, 1] & 0xFF


@inlined
def _look(
    planes: npt.NDArray[np.uint8],
    words: Words,
    maps: Maps,
    rules: Rules,
    tick: Tick,
    y: int,
    x: int,
    descriptor: int,
) -> Pixel:
    """The pixel with the thresholds that its state gives it."""
    index = y * planes.shape[2] + x
    flat = population_count(descriptor) < FLAT_BITS
    distance = maps.distance[y, x]
    best = weight(words.head[index, 1], tick.clock, tick.weight_offset)
    return Pixel(
        index, x, y, descriptor,
        int64(planes[0, y, x]), int64(planes[1, y, x]), int64(planes[2, y, x]),
        flat,
        colour_limit(rules, distance),
        descriptor_limit(rules, distance, int64(maps.unstable[y, x])),
        best / (distance * float32(2)),
        (1 + tick.cooldown) << int64(flat or tick.bootstrapping),
        update_rate(rules, maps.rate[y, x], flat),
    )  # fmt: skip


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
def _learn_globally(
    maps: Maps,
    globals_: GlobalWords,
    requests: Requests,
    pixel: Pixel,
    tick: Tick,
    total: float,
    at_once: bool,
    stream: npt.NDArray[np.uint32],
) -> None:
    """A background pixel now and then strengthens its global word, or asks to become one."""
    if draw(pixel.update_rate, stream, tick.key, pixel.number, DRAW_LEARN) != 0:
        return
    slot = find_global(globals_, pixel, population_count(pixel.descriptor))
    if slot >= 0:
        gain = learn_global(globals_, slot, pixel.y, pixel.x, total)
        if at_once:
            globals_.totals[slot] += gain
        else:
            requests.gained[pixel.y, slot] += gain
    elif draw(2 * pixel.update_rate, stream, tick.key, pixel.number, DRAW_REPLACE) == 0:
        if at_once:
            replace_global(globals_, pixel, total)
        else:
            note_newcomer(requests, pixel, total)


@inlined
def _ask_neighbour(
    words: Words,
    maps: Maps,
    requests: Requests,
    pixel: Pixel,
    tick: Tick,
    at_once: bool,
    stream: npt.NDArray[np.uint32],
) -> None:
    """Choose a neighbour to spread to; spread at once or note it."""
    height, width = maps.raw.shape
    if pixel.flat or tick.moving:
        shift = _FAR[draw(24, stream, tick.key, pixel.number, DRAW_DIRECTION)]
    else:
        shift = _NEAR[draw(8, stream, tick.key, pixel.number, DRAW_DIRECTION)]
    x = min(max(pixel.x + shift[0], RIM), width - RIM - 1)
    y = min(max(pixel.y + shift[1], RIM), height - RIM - 1)
    target = y * width + x
    if at_once:
        spread(words, maps, pixel, target, tick, stream)
        return
    place = requests.counts[pixel.y, 0]
    requests.target[pixel.y, place] = target
    requests.source[pixel.y, place] = pixel.x
    requests.consensus[pixel.y, place] = pixel.needed
    limits = requests.limits[pixel.y, place]
    limits[0], limits[1], limits[2], limits[3] = (
        pixel.colour_limit, pixel.descriptor_limit, pixel.step, pixel.update_rate
    )  # fmt: skip
    requests.counts[pixel.y, 0] = place + 1


@inlined
def _asking_pixel(planes: npt.NDArray[np.uint8], maps: Maps, requests: Requests, y: int, place: int) -> Pixel:
    """The pixel that made a request, as it was when it asked."""
    x = int64(requests.source[y, place])
    descriptor = maps.descriptor[y, x]
    limits = requests.limits[y, place]
    return Pixel(
        y * planes.shape[2] + x, x, y, descriptor,
        int64(planes[0, y, x]), int64(planes[1, y, x]), int64(planes[2, y, x]),
        population_count(descriptor) < FLAT_BITS,
        int64(limits[0]), int64(limits[1]),
        requests.consensus[y, place],
        int64(limits[2]), int64(limits[3]),
    )  # fmt: skip


@compiled
def spread_rows(
    start: int,
    stop: int,
    planes: npt.NDArray[np.uint8],
    words: Words,
    maps: Maps,
    requests: Requests,
    tick: Tick,
    stream: npt.NDArray[np.uint32],
) -> None:
    """Phase two: grant the updates whose targets lie in rows start..stop-1, in the askers' order."""
    height, width = maps.raw.shape
    for y in range(max(start - RIM, RIM), min(stop + RIM, height - RIM)):
        for place in range(requests.counts[y, 0]):
            target = int64(requests.target[y, place])
            if start * width <= target < stop * width:
                spread(words, maps, _asking_pixel(planes, maps, requests, y, place), target, tick, stream)

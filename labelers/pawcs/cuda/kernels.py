"""The kernels of one frame, in the order in which they run; blocks along y are videos.

Each writes only what its own thread's pixel, cell, row or video owns, and reads of others only what an
earlier kernel wrote. So no result depends on the order of threads.
"""

from __future__ import annotations

import numpy as np
from numba import cuda

from spotlabel.labelers.pawcs.cuda.feedback import adapt, choose_neighbour, grant
from spotlabel.labelers.pawcs.cuda.globals import (
    admit_newcomers,
    book_gains,
    consult,
    follow_candidates,
    gather_row,
    load_candidate,
    number_newcomers,
    order_pixel,
    settle_cell,
)
from spotlabel.labelers.pawcs.cuda.illumination import settle_illumination
from spotlabel.labelers.pawcs.cuda.primitives import MODULES, REPLACED
from spotlabel.labelers.pawcs.cuda.scan import describe_pixel, judge, scan
from spotlabel.labelers.pawcs.cuda.transplant import Transplanter
from spotlabel.labelers.pawcs.cuda.views import (
    ACTIVE,
    DeviceWords,
    Findings,
    Frames,
    PixelScratch,
    PixelStates,
    findings_of,
    globals_of,
    maps_of,
    newcomers_of,
    pixel_of,
    states_of,
    tick_of,
    words_of,
)
from spotlabel.labelers.pawcs.jit import float32, int64
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import GlobalWords, Longs, Maps, weight, word_high
from spotlabel.labelers.pawcs.rows import Ints, Newcomers
from spotlabel.labelers.pawcs.settings import Rules


def _place(thread: int, height: int, width: int) -> tuple[int, int]:
    """A thread's pixel, counted from the first modelled row; y is -1 outside of the modelled area."""
    y, x = thread // width + RIM, thread % width
    if y >= height - RIM or x < RIM or x >= width - RIM:
        return -1, 0
    return y, x


def _compare_words(
    words: DeviceWords, maps: Maps, frames: Frames, states: PixelStates, findings: Findings, rules: Rules
) -> None:
    """Each pixel against its words."""
    thread, video = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y
    y, x = _place(thread, maps.raw.shape[1], maps.raw.shape[2])
    if y < 0 or frames.counters[video, ACTIVE] == 0:
        return
    patch, note = cuda.local.array(48, np.uint8), cuda.local.array(1, np.int64)
    own_words, own_maps, own_states = words_of(words, video), maps_of(maps, video), states_of(states, video)
    planes, table, tick = frames.planes[video], frames.table[video], tick_of(frames, video)
    number = y * maps.raw.shape[2] + x
    describe_pixel(own_maps, own_states, planes, table, rules, patch, y, x)
    best = weight(word_high(own_words, number, 0), tick.clock, tick.weight_offset)
    own_states.needed[number] = best / (own_maps.distance[y, x] * float32(2))
    pixel = pixel_of(own_states, own_maps, planes, tick, y, x)
    scan(own_words, own_maps, findings_of(findings, video), pixel, tick, table, patch, note)


def _settle_pixels(
    words: DeviceWords,
    maps: Maps,
    globals_: GlobalWords,
    frames: Frames,
    states: PixelStates,
    findings: Findings,
) -> None:
    """What each pixel does once its neighbours have been compared."""
    thread, video = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y
    y, x = _place(thread, maps.raw.shape[1], maps.raw.shape[2])
    if y < 0 or frames.counters[video, ACTIVE] == 0:
        return
    scratch = PixelScratch(cuda.local.array(48, np.uint8), cuda.local.array(256, np.float32))
    own_words, own_maps, own_findings = (
        words_of(words, video),
        maps_of(maps, video),
        findings_of(findings, video),
    )
    planes, tick = frames.planes[video], tick_of(frames, video)
    pixel = pixel_of(states_of(states, video), own_maps, planes, tick, y, x)
    settle_illumination(own_words, own_maps, own_findings, pixel)
    judge(own_words, own_maps, own_findings, pixel, tick, planes, frames.table[video], scratch)
    consult(globals_of(globals_, video), own_findings, pixel, tick)


def _settle_cells(
    maps: Maps, globals_: GlobalWords, frames: Frames, states: PixelStates, findings: Findings
) -> None:
    """What the pixels of each cell of the global maps give it and take from it."""
    video = cuda.blockIdx.y
    width = globals_.maps.shape[3]
    number = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    row, column = number // width, number % width
    if row >= globals_.maps.shape[2] or row < RIM // 2 or column < RIM // 2:
        return
    if frames.counters[video, ACTIVE] != 0:
        settle_cell(
            globals_of(globals_, video), maps_of(maps, video), findings_of(findings, video),
            states_of(states, video), row, column,
        )  # fmt: skip


def _adapt_pixels(maps: Maps, frames: Frames, states: PixelStates, findings: Findings, rules: Rules) -> None:
    """Feedback of each pixel, and whom it asks to learn from it."""
    thread, video = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y
    y, x = _place(thread, maps.raw.shape[1], maps.raw.shape[2])
    if y < 0 or frames.counters[video, ACTIVE] == 0:
        return
    unused = cuda.local.array(1, np.int64)
    own_maps, own_findings, own_states = (
        maps_of(maps, video),
        findings_of(findings, video),
        states_of(states, video),
    )
    tick = tick_of(frames, video)
    adapt(own_maps, own_findings, own_states, rules, tick, y, x)
    pixel = pixel_of(own_states, own_maps, frames.planes[video], tick, y, x)
    choose_neighbour(own_maps, own_findings, pixel, tick, unused)


def _grant_updates(
    words: DeviceWords, maps: Maps, frames: Frames, states: PixelStates, findings: Findings
) -> None:
    """Neighbour updates, by the pixel that learns."""
    thread, video = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y
    y, x = _place(thread, maps.raw.shape[1], maps.raw.shape[2])
    if y < 0 or frames.counters[video, ACTIVE] == 0:
        return
    unused = cuda.local.array(1, np.int64)
    grant(
        words_of(words, video), maps_of(maps, video), findings_of(findings, video), states_of(states, video),
        frames.planes[video], tick_of(frames, video), unused, y, x,
    )  # fmt: skip


def _gather_rows(
    maps: Maps, frames: Frames, states: PixelStates, findings: Findings, newcomers: Newcomers, flats: Ints
) -> None:
    """What each row does to the global words, and its number of flat pixels into ``flats``, int32 (V, H)."""
    video = cuda.blockIdx.y
    y = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x + RIM
    if y >= maps.raw.shape[1] - RIM or frames.counters[video, ACTIVE] == 0:
        return
    flats[video, y] = gather_row(
        newcomers_of(newcomers, video), findings_of(findings, video), states_of(states, video),
        maps_of(maps, video), frames.planes[video], tick_of(frames, video), y,
    )  # fmt: skip


def _settle_globals(
    maps: Maps, globals_: GlobalWords, frames: Frames, newcomers: Newcomers, offsets: Longs
) -> None:
    """Totals and the last global word of each video; one block of at most 128 threads per video.

    The newcomers' chain is followed by one thread, in memory that the others fill for it.
    """
    video = cuda.blockIdx.y
    if frames.counters[video, ACTIVE] == 0:
        return
    candidates, newest = cuda.shared.array((128, 7), np.int64), cuda.local.array(7, np.int64)
    own_globals, own_newcomers = globals_of(globals_, video), newcomers_of(newcomers, video)
    planes, descriptors, own_offsets = frames.planes[video], maps.descriptor[video], offsets[video]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    for slot in range(first, globals_.totals.shape[1], step):
        book_gains(own_globals, own_newcomers, slot)
    if first == 0:
        number_newcomers(own_newcomers, own_offsets)
    cuda.syncthreads()
    asked = own_offsets[own_offsets.size - 1]
    if asked == 0:
        return
    last = int64(-1)
    for start in range(0, asked, step):
        if start + first < asked:
            load_candidate(own_newcomers, planes, descriptors, own_offsets, start + first, candidates[first])
        cuda.syncthreads()
        if first == 0:
            last = follow_candidates(candidates, min(step, asked - start), start, newest, last)
        cuda.syncthreads()
    height, width = globals_.maps.shape[2], globals_.maps.shape[3]
    slot = own_globals.order[own_globals.order.size - 1]
    for cell in range(first, height * width, step):
        own_globals.maps[slot, cell // width, cell % width] = 0
    cuda.syncthreads()
    if first == 0:
        admit_newcomers(own_globals, own_newcomers, planes, descriptors, own_offsets, last)


def _order_globals(maps: Maps, globals_: GlobalWords, refined: Ints) -> None:
    """Each pixel's order of the global words, in the videos marked in ``refined``, int32 (V,)."""
    thread, video = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y
    y, x = _place(thread, maps.raw.shape[1], maps.raw.shape[2])
    if y >= 0 and refined[video] != 0:
        order_pixel(globals_of(globals_, video), y * maps.raw.shape[2] + x, y, x)


_transplanter = Transplanter(REPLACED, MODULES)
compare_words = _transplanter.kernel(_compare_words)
settle_pixels = _transplanter.kernel(_settle_pixels)
settle_cells = _transplanter.kernel(_settle_cells)
adapt_pixels = _transplanter.kernel(_adapt_pixels)
grant_updates = _transplanter.kernel(_grant_updates)
gather_rows = _transplanter.kernel(_gather_rows)
settle_globals = _transplanter.kernel(_settle_globals)
order_globals = _transplanter.kernel(_order_globals)

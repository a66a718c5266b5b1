"""One pixel against its words (WACV 2015, section 3.2), as :func:`spotlabel.labelers.pawcs.words.scan_words`.

The device weighs and orders all words of every pixel: the CPU's record of how long an order lasts would spare
memory traffic and cost divergence.
"""

from __future__ import annotations

from typing import Any

from spotlabel.labelers.pawcs.cuda.illumination import decide, record
from spotlabel.labelers.pawcs.cuda.views import Findings, Local, PixelStates
from spotlabel.labelers.pawcs.evidence import background_level, foreground_level
from spotlabel.labelers.pawcs.first_word import limit_row
from spotlabel.labelers.pawcs.jit import float32, int64
from spotlabel.labelers.pawcs.lbsp import DESCRIPTOR_BITS, MAX_COLOUR_DISTANCE, describe_patch, gather_patch
from spotlabel.labelers.pawcs.model import (
    HEAD,
    Bytes,
    Maps,
    Pixel,
    Tick,
    put_word,
    tail_size,
    weight,
    word_high,
    word_low,
)
from spotlabel.labelers.pawcs.order import order_step
from spotlabel.labelers.pawcs.settings import Rules
from spotlabel.labelers.pawcs.spread import replace_last_word
from spotlabel.labelers.pawcs.words import HEAVIEST, NO_MATCH, compare_word, may_match


def describe_pixel(
    maps: Maps, states: PixelStates, planes: Bytes, table: Bytes, rules: Rules, patch: Bytes, y: int, x: int
) -> None:
    """Describe a pixel and give it its thresholds; ``patch`` is left filled with its neighbours."""
    number = y * maps.raw.shape[1] + x
    gather_patch(planes, y, x, patch)
    maps.descriptor[y, x] = describe_patch(
        patch, int64(planes[0, y, x]), int64(planes[1, y, x]), int64(planes[2, y, x]), table
    )
    here, there = slice(x, x + 1), slice(number, number + 1)
    limit_row(
        maps.distance[y, here], maps.rate[y, here], maps.unstable[y, here], maps.descriptor[y, here], rules,
        states.colour_limit[there], states.descriptor_limit[there], states.update_rate[there],
        states.flat[there],
    )  # fmt: skip


def scan(
    words: Local,
    maps: Maps,
    findings: Findings,
    pixel: Pixel,
    tick: Tick,
    table: Bytes,
    patch: Bytes,
    note: Any,
) -> None:
    """Compare a pixel with its words until enough weight agrees; one ordering pass by weight over all.

    Args:
        words, maps: of one video; words of the pixel are written.
        findings: ``total``, ``colour``, ``descriptor``, ``foreground``, ``illumination``,
            ``postponed`` are written.
        pixel, tick: the current pixel and frame.
        table: similarity thresholds.
        patch: uint8 (48,), the pixel's neighbours.
        note: int64 (1,), scratch.
    """
    total = float32(0)
    colour, descriptor = int64(MAX_COLOUR_DISTANCE), int64(DESCRIPTOR_BITS)
    dark, lit = int64(0), int64(0)
    last_weight = HEAVIEST
    number = pixel.number
    for index in range(HEAD + tail_size(words)):
        high = word_high(words, number, index)
        word_weight = weight(high, tick.clock, tick.weight_offset)
        if total < pixel.needed:
            low = word_low(words, number, index)
            if may_match(pixel, low, high):
                note[0] = 0
                low, high, mix, distance = compare_word(
                    maps, pixel, tick, table, patch, index, low, high, word_weight, note
                )
                if note[0] != 0:
                    dark, lit = decide(pixel, tick, index, dark, lit)
                if distance != NO_MATCH:
                    total += word_weight
                    colour = min(colour, mix)
                    descriptor = min(descriptor, distance)
                    put_word(words, number, index, low, high)
        if word_weight > last_weight:
            order_step(
                words,
                pixel.number,
                index,
                word_low(words, pixel.number, index),
                high,
                word_weight,
                last_weight,
            )
            dark, lit = _swap_bits(dark, index), _swap_bits(lit, index)
        else:
            last_weight = word_weight
    findings.total[number], findings.colour[number], findings.descriptor[number] = total, colour, descriptor
    findings.foreground[number] = 1 if total < pixel.needed else 0
    record(words, maps, findings, pixel, dark, lit)


def _swap_bits(bits: int, index: int) -> int:
    """Exchange bits ``index`` and ``index - 1``."""
    if ((bits >> int64(index)) ^ (bits >> int64(index - 1))) & 1 != 0:
        bits ^= int64(3) << int64(index - 1)
    return bits


def judge(
    words: Local,
    maps: Maps,
    findings: Findings,
    pixel: Pixel,
    tick: Tick,
    planes: Bytes,
    table: Bytes,
    scratch: Any,
) -> None:
    """Distance evidence, and what a pixel that is all new leaves behind.

    Args:
        words, maps: of one video; words of the pixel and ``level`` are written.
        findings: as the scan left it.
        pixel, tick, planes, table: the current pixel and frame.
        scratch: a PixelScratch; ``patch`` and ``levels`` are written.
    """
    number = pixel.number
    if findings.foreground[number] != 0:
        if tick.with_level:
            maps.level[pixel.y, pixel.x] = foreground_level(words, pixel, tick, planes, table, scratch)
        if findings.total[number] < tick.newcomer_weight and maps.held[pixel.y, pixel.x] == 0:
            replace_last_word(words, number, pixel, tick)
    elif tick.with_level:
        maps.level[pixel.y, pixel.x] = background_level(
            pixel, int64(findings.colour[number]), int64(findings.descriptor[number])
        )

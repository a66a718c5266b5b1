"""Feedback and neighbour updates of one pixel on the device (WACV 2015, section 3.4; TIP 2016, III-C)."""

from __future__ import annotations

from typing import Any

from spotlabel.labelers.pawcs.cuda.views import NOBODY, Findings, Local, PixelStates, pixel_of
from spotlabel.labelers.pawcs.feedback import adapt_row, judge_row, observe_row
from spotlabel.labelers.pawcs.jit import int64
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import Bytes, Maps, Pixel, Tick
from spotlabel.labelers.pawcs.neighbours import FAR, NEAR
from spotlabel.labelers.pawcs.rng import DRAW_DIRECTION, DRAW_SPREAD, chance, draw
from spotlabel.labelers.pawcs.rows import REACH
from spotlabel.labelers.pawcs.settings import Rules
from spotlabel.labelers.pawcs.spread import spread


def adapt(
    maps: Maps, findings: Findings, states: PixelStates, rules: Rules, tick: Tick, y: int, x: int
) -> None:
    """Running means, stability, and T, v, R of a pixel: the row-wise passes on a row of one."""
    number = y * maps.raw.shape[1] + x
    here, there = slice(x, x + 1), slice(number, number + 1)
    distance_long, distance_short = maps.mean_distance[0, y, here], maps.mean_distance[1, y, here]
    raw_long, raw_short = maps.mean_raw[0, y, here], maps.mean_raw[1, y, here]
    observe_row(
        findings.colour[there], findings.descriptor[there], findings.total[there], states.needed[there],
        findings.foreground[there], tick.blend_long, tick.blend_short,
        distance_long, distance_short, raw_long, raw_short,
    )  # fmt: skip
    judge_row(
        maps.distance[y, here], raw_long, raw_short, maps.mean_final[0, y, here], maps.mean_final[1, y, here],
        rules, maps.unstable[y, here],
    )  # fmt: skip
    adapt_row(
        distance_long, distance_short, maps.last_mask[y, here], maps.raw[y, here], maps.blinking[y, here],
        states.flat[there], rules, tick.bootstrapping,
        maps.rate[y, here], maps.variation[y, here], maps.distance[y, here],
    )  # fmt: skip


def choose_neighbour(maps: Maps, findings: Findings, pixel: Pixel, tick: Tick, stream: Any) -> None:
    """Whom a background pixel asks to learn from it, if it was drawn to ask."""
    height, width = maps.raw.shape
    target = int64(NOBODY)
    spreads = maps.raw[pixel.y, pixel.x] == 0 and chance(
        tick.key, pixel.number, DRAW_SPREAD, pixel.update_rate
    )
    if tick.moving or spreads:
        far = pixel.flat or tick.moving
        direction = draw(24 if far else 8, stream, tick.key, pixel.number, DRAW_DIRECTION)
        shift_x = FAR[direction, 0] if far else NEAR[direction, 0]
        shift_y = FAR[direction, 1] if far else NEAR[direction, 1]
        x = min(max(pixel.x + shift_x, RIM), width - RIM - 1)
        y = min(max(pixel.y + shift_y, RIM), height - RIM - 1)
        target = int64(y * width + x)
    findings.target[pixel.number] = target


def grant(
    words: Local,
    maps: Maps,
    findings: Findings,
    states: PixelStates,
    planes: Bytes,
    tick: Tick,
    stream: Any,
    y: int,
    x: int,
) -> None:
    """Let a pixel learn from all that ask it to, in their row-major order."""
    height, width = maps.raw.shape
    number = y * width + x
    for asker_y in range(max(y - REACH, RIM), min(y + REACH + 1, height - RIM)):
        for asker_x in range(max(x - REACH, RIM), min(x + REACH + 1, width - RIM)):
            if findings.target[asker_y * width + asker_x] == number:
                pixel = pixel_of(states, maps, planes, tick, asker_y, asker_x)
                spread(words, maps, pixel, y, x, tick, stream)

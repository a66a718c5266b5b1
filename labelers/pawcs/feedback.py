"""Feedback: thresholds and learning rates of a pixel follow its segmentation (WACV 2015, section 3.4)."""

from __future__ import annotations

import numpy as np

from labelers.pawcs.jit import float32, inlined, int64
from labelers.pawcs.lbsp import DESCRIPTOR_BITS, MAX_COLOUR_DISTANCE
from labelers.pawcs.model import Maps, Pixel, Tick
from labelers.pawcs.settings import Rules

_ONE = float32(1)
_HALF = float32(0.5)


@inlined
def colour_limit(rules: Rules, distance: float) -> int:
    """Largest mix distance of a match for distance factor R: 3 floor(threshold * sqrt(R))."""
    if distance == _ONE:  # most pixels, most of the time
        return 3 * rules.colour_threshold
    return 3 * int64(np.sqrt(np.float64(distance)) * rules.colour_threshold)


@inlined
def descriptor_limit(rules: Rules, distance: float, unstable: int) -> int:
    """Largest descriptor distance of a match: 3 (2**round(R) + offset), one more offset where unstable."""
    exponent = int64(np.floor(distance + _HALF))
    return 3 * ((1 << exponent) + rules.descriptor_offset * (1 + unstable))


@inlined
def update_rate(rules: Rules, rate: float, flat: bool) -> int:
    """Whole-numbered T; about half of it for flat pixels."""
    if flat:
        return int64(np.ceil(rate + rules.rate_min)) // 2
    return int64(np.ceil(rate))


@inlined
def _blend(maps: np.ndarray, y: int, x: int, value: float, tick: Tick) -> None:
    """Move the long- and the short-term running mean toward ``value``."""
    maps[0, y, x] = maps[0, y, x] * (_ONE - tick.blend_long) + value * tick.blend_long
    maps[1, y, x] = maps[1, y, x] * (_ONE - tick.blend_short) + value * tick.blend_short


@inlined
def observe(
    maps: Maps,
    pixel: Pixel,
    tick: Tick,
    total: float,
    nearest_colour: int,
    nearest_descriptor: int,
    foreground: bool,
) -> None:
    """Running means of the minimal distance and of the raw segmentation."""
    nearest = max(
        float32(nearest_colour) / float32(MAX_COLOUR_DISTANCE),
        float32(nearest_descriptor) / float32(DESCRIPTOR_BITS),
    )
    if foreground:
        nearest = max(nearest, (pixel.needed - total) / pixel.needed)
    _blend(maps.mean_distance, pixel.y, pixel.x, nearest, tick)
    _blend(maps.mean_raw, pixel.y, pixel.x, float32(1) if foreground else float32(0), tick)


@inlined
def adapt(maps: Maps, rules: Rules, pixel: Pixel, tick: Tick) -> None:
    """Update the unstable flag, T, v and R of a pixel (WACV 2015, eqs. 6-9)."""
    y, x = pixel.y, pixel.x
    distance, variation, rate = maps.distance[y, x], maps.variation[y, x], maps.rate[y, x]
    least = min(maps.mean_distance[0, y, x], maps.mean_distance[1, y, x])
    most = max(maps.mean_distance[0, y, x], maps.mean_distance[1, y, x])
    was_foreground = maps.last_mask[y, x] != 0
    maps.unstable[y, x] = (
        distance > rules.unstable_distance
        or maps.mean_raw[0, y, x] - maps.mean_final[0, y, x] > rules.unstable_ratio
        or maps.mean_raw[1, y, x] - maps.mean_final[1, y, x] > rules.unstable_ratio
    )
    if was_foreground or (least < rules.unstable_ratio and maps.raw[y, x] != 0):
        rate = min(rate + rules.rate_up / (most * variation), rules.rate_max)
    elif rate > rules.rate_min:
        rate = max(rate - rules.rate_down * variation / most, rules.rate_min)
    maps.rate[y, x] = rate
    if most > rules.unstable_ratio and maps.blinking[y, x] != 0:
        variation += rules.variation_up * float32(2) if tick.bootstrapping else rules.variation_up
    elif variation > rules.variation_down:
        pace = float32(1)
        if tick.bootstrapping or pixel.flat:
            pace = float32(2)
        elif was_foreground:
            pace = float32(0.5)
        variation = max(variation - rules.variation_down * pace, rules.variation_down)
    maps.variation[y, x] = variation
    aim = np.float64(_ONE + least * float32(2))
    if np.float64(distance) < aim * aim:
        distance += rules.distance_step * (variation - rules.variation_down)
    elif distance > _ONE:
        distance = max(distance - rules.distance_step / variation, _ONE)
    maps.distance[y, x] = distance

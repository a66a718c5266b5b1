"""Feedback: thresholds and learning rates of a pixel follow its segmentation (WACV 2015, section 3.4)."""

from __future__ import annotations

import numpy as np

from spotlabel.labelers.pawcs.jit import float32, inlined, int64, vectorised
from spotlabel.labelers.pawcs.lbsp import DESCRIPTOR_BITS, MAX_COLOUR_DISTANCE
from spotlabel.labelers.pawcs.model import Bytes, Floats
from spotlabel.labelers.pawcs.rows import Ints
from spotlabel.labelers.pawcs.settings import Rules

_ONE = float32(1)
_TWO = float32(2)
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


@vectorised
def observe_row(
    colour: Ints,
    descriptor: Ints,
    total: Floats,
    needed: Floats,
    foreground: Bytes,
    blend_long: float,
    blend_short: float,
    distance_long: Floats,
    distance_short: Floats,
    raw_long: Floats,
    raw_short: Floats,
) -> None:
    """Running means of the minimal distance and of the raw segmentation, over a row.

    Args:
        colour, descriptor: smallest mix and descriptor distance of a match.
        total, needed: sums of weights, found and needed for background.
        foreground: 1 for pixels without local consensus.
        blend_long, blend_short: float32, weight of the current frame.
        distance_long, distance_short, raw_long, raw_short: the means; written.
    """
    for x in range(total.size):
        nearest = max(
            float32(colour[x]) / float32(MAX_COLOUR_DISTANCE),
            float32(descriptor[x]) / float32(DESCRIPTOR_BITS),
        )
        short_of = (needed[x] - total[x]) / needed[x]
        nearest = max(nearest, short_of) if foreground[x] != 0 else nearest
        raw = float32(1) if foreground[x] != 0 else float32(0)
        distance_long[x] = _blend(distance_long[x], nearest, blend_long)
        distance_short[x] = _blend(distance_short[x], nearest, blend_short)
        raw_long[x] = _blend(raw_long[x], raw, blend_long)
        raw_short[x] = _blend(raw_short[x], raw, blend_short)


@inlined
def _blend(mean: float, value: float, share: float) -> float:
    """A running mean moved toward ``value``."""
    return _product(mean, _ONE - share) + _product(value, share)


@inlined
def _product(first: float, second: float) -> float:
    """A product that is rounded before anything is added to it; a device would fuse the two."""
    return first * second


@vectorised
def judge_row(
    distance: Floats,
    raw_long: Floats,
    raw_short: Floats,
    final_long: Floats,
    final_short: Floats,
    rules: Rules,
    unstable: Bytes,
) -> None:
    """Which pixels are unstable: large R, or often foreground in the raw mask and not in the final one."""
    for x in range(distance.size):
        unstable[x] = (
            (distance[x] > rules.unstable_distance)
            | (raw_long[x] - final_long[x] > rules.unstable_ratio)
            | (raw_short[x] - final_short[x] > rules.unstable_ratio)
        )


@vectorised
def adapt_row(
    mean_long: Floats,
    mean_short: Floats,
    last_mask: Bytes,
    raw: Bytes,
    blinking: Bytes,
    flat: Bytes,
    rules: Rules,
    bootstrapping: bool,
    rate: Floats,
    variation: Floats,
    distance: Floats,
) -> None:
    """Update T, v and R of a row of pixels (WACV 2015, eqs. 6-9).

    Args:
        mean_long, mean_short: running means of the minimal distance.
        last_mask: the last final mask.
        raw: the raw segmentation.
        blinking, flat: flags.
        rules: parameters.
        bootstrapping: one of the first frames.
        rate, variation, distance: T, v and R; written.
    """
    for x in range(rate.size):
        least, most = min(mean_long[x], mean_short[x]), max(mean_long[x], mean_short[x])
        old_rate, old_variation, old_distance = rate[x], variation[x], distance[x]
        was_foreground = last_mask[x] != 0
        slower = min(old_rate + rules.rate_up / (most * old_variation), rules.rate_max)
        faster = max(old_rate - rules.rate_down * old_variation / most, rules.rate_min)
        faster = faster if old_rate > rules.rate_min else old_rate
        slow = was_foreground | ((least < rules.unstable_ratio) & (raw[x] != 0))
        rate[x] = slower if slow else faster
        up = rules.variation_up * (_TWO if bootstrapping else _ONE)
        pace = _HALF if was_foreground else _ONE
        pace = _TWO if bootstrapping | (flat[x] != 0) else pace
        down = max(old_variation - rules.variation_down * pace, rules.variation_down)
        down = down if old_variation > rules.variation_down else old_variation
        blinks = (most > rules.unstable_ratio) & (blinking[x] != 0)
        new_variation = old_variation + up if blinks else down
        variation[x] = new_variation
        aim = np.float64(_ONE + least * _TWO)
        farther = old_distance + _product(rules.distance_step, new_variation - rules.variation_down)
        nearer = max(old_distance - rules.distance_step / new_variation, _ONE)
        nearer = nearer if old_distance > _ONE else old_distance
        distance[x] = farther if np.float64(old_distance) < aim * aim else nearer

"""Row-wise passes before the pixel-wise step: thresholds, the best local word, random draws.

Seven to nine of ten pixels are background by their best word alone. These passes find that out for a whole
row with vector instructions; arithmetic and rounding are those of the pixel-wise comparison in :mod:`words`.
"""

from __future__ import annotations

import numpy as np

from spotlabel.labelers.pawcs.jit import (
    float32,
    inlined,
    int32,
    int64,
    population_count,
    vectorised,
)
from spotlabel.labelers.pawcs.lbsp import FLAT_BITS, hamming
from spotlabel.labelers.pawcs.model import (
    ALL_SORTED,
    BITS_48,
    Bytes,
    Floats,
    Longs,
    age_at_zero,
    occurrences,
    seen,
)
from spotlabel.labelers.pawcs.rng import DRAW_LEARN, DRAW_SPREAD, chance
from spotlabel.labelers.pawcs.rows import Ints, Shorts
from spotlabel.labelers.pawcs.settings import Rules

_ZERO, _ONE, _TWO, _HALF = float32(0), float32(1), float32(2), float32(0.5)
UNKNOWN, MATCHES, DIFFERS = 0, 1, 2
"""What is known of a pixel's best word."""
_MOST_DOUBLINGS = 20
"""R so large that every descriptor matches anyway."""


@vectorised
def limit_row(
    distance: Floats,
    rate: Floats,
    unstable: Bytes,
    intra: Longs,
    rules: Rules,
    colour_limit: Ints,
    descriptor_limit: Ints,
    update_rate: Ints,
    flat: Bytes,
) -> int:
    """Thresholds that each pixel's state gives it: as the functions of :mod:`feedback`, for a row.

    Args:
        distance, rate, unstable: the row of R, of T and of the unstable flags.
        intra: descriptors.
        rules: parameters.
        colour_limit, descriptor_limit, update_rate, flat: written.

    Returns:
        Number of flat pixels.
    """
    flats = 0
    for x in range(distance.size):
        colour_limit[x] = 3 * int32(np.sqrt(np.float64(distance[x])) * rules.colour_threshold)
        doublings = min(int32(np.floor(distance[x] + _HALF)), _MOST_DOUBLINGS)
        descriptor_limit[x] = 3 * ((1 << doublings) + rules.descriptor_offset * (1 + int32(unstable[x])))
        is_flat = population_count(intra[x]) < FLAT_BITS
        if is_flat:
            update_rate[x] = int32(np.ceil(rate[x] + rules.rate_min)) // 2
        else:
            update_rate[x] = int32(np.ceil(rate[x]))
        flat[x] = is_flat
        flats += is_flat
    return flats


@vectorised
def first_colours(head: Longs, out0: Bytes, out1: Bytes, out2: Bytes) -> None:
    """Colours of the best word of each pixel of a row."""
    for x in range(head.shape[0]):
        out0[x] = np.uint8(head[x, 0] >> 48)
        out1[x] = np.uint8(head[x, 0] >> 56)
        out2[x] = np.uint8(head[x, 1])


@inlined
def _weight(high: int, clock: int, offset: int) -> float:
    """As :func:`model.weight`, in 32-bit integers, which convert to vectors of floats everywhere."""
    return float32(int32(occurrences(high))) / float32(int32(age_at_zero(high, offset) + 2 * clock))


@vectorised
def weigh_head(
    head: Longs,
    distance: Floats,
    clock: int,
    offset: int,
    weights0: Floats,
    weights1: Floats,
    weights2: Floats,
    weights3: Floats,
    needed: Floats,
) -> None:
    """Weights of the head words of a row, and the sum of weights that makes each pixel background."""
    for x in range(head.shape[0]):
        best = _weight(head[x, 1], clock, offset)
        weights0[x] = best
        weights1[x] = _weight(head[x, 3], clock, offset)
        weights2[x] = _weight(head[x, 5], clock, offset)
        weights3[x] = _weight(head[x, 7], clock, offset)
        needed[x] = best / (distance[x] * _TWO)


@vectorised
def check_order(
    weights0: Floats,
    weights1: Floats,
    weights2: Floats,
    weights3: Floats,
    fifth: Longs,
    sorted_until: Shorts,
    unsorted: Shorts,
    clock: int,
    offset: int,
    ordered: Bytes,
) -> None:
    """Where the ordering pass would change nothing; ``unsorted`` holds both ends in one number."""
    for x in range(ordered.size):
        head = (weights0[x] >= weights1[x]) & (weights1[x] >= weights2[x]) & (weights2[x] >= weights3[x])
        tail = (weights3[x] >= _weight(fifth[x], clock, offset)) & (clock < int64(sorted_until[x]))
        ordered[x] = head & tail & ((int64(unsorted[x]) & 0xFF) == ALL_SORTED)


@vectorised
def mix_row(a0: Bytes, a1: Bytes, a2: Bytes, b0: Bytes, b1: Bytes, b2: Bytes, l1: Ints, mix: Ints) -> None:
    """L1 and mix distances between two rows of colours; exact in single precision but for one division."""
    for x in range(a0.size):
        p0, p1, p2 = float32(a0[x]), float32(a1[x]), float32(a2[x])
        q0, q1, q2 = float32(b0[x]), float32(b1[x]), float32(b2[x])
        difference = abs(p0 - q0) + abs(p1 - q1) + abs(p2 - q2)
        length = p0 * p0 + p1 * p1 + p2 * p2
        other = q0 * q0 + q1 * q1 + q2 * q2
        product = p0 * q0 + p1 * q1 + p2 * q2
        square = length if other == _ZERO else length - product * product / other
        square = max(square, _ZERO)  # rounding; see lbsp.UNRELATED
        root = np.floor(np.sqrt(square))
        root -= _ONE if root * root > square else _ZERO  # the root of n**2 - 1 ulp may round to n
        l1[x] = int32(difference)
        mix[x] = (int32(difference) >> 1) + 4 * int32(root)


@vectorised
def match_first(
    head: Longs,
    intra: Longs,
    inter: Longs,
    l1: Ints,
    mix: Ints,
    weights: Floats,
    colour_limit: Ints,
    descriptor_limit: Ints,
    flat: Bytes,
    unstable: Bytes,
    learning: Bytes,
    clock: int,
    step: int,
    doubled: bool,
    renewed: Longs,
    descriptor: Ints,
    matched: Bytes,
) -> None:
    """Where the best word matches and does not take the pixel's appearance.

    Args:
        head: int64 (W, 2 HEAD), the head words of the row.
        intra, inter: descriptors against the own colour and the best word's.
        l1, mix: colour distances to the best word.
        weights: of the best words.
        colour_limit, descriptor_limit, flat, unstable: of the pixels.
        learning: 1 where words may gain occurrences.
        clock: frame number as the words count it.
        step: what an occurrence counts for a pixel that is not flat.
        doubled: whether it counts no more for flat pixels, since all count double already.
        renewed: written, second halves of the best words as they are after a match.
        descriptor: written, descriptor distances.
        matched: written: MATCHES, DIFFERS, or UNKNOWN where the word might take the pixel's appearance.
    """
    for x in range(intra.size):
        word, high = head[x, 0] & BITS_48, head[x, 1]
        own = hamming(intra[x], word)
        distance = (own + hamming(inter[x], word)) >> 1
        near = (int64(mix[x]) <= colour_limit[x]) & (distance <= descriptor_limit[x])
        near &= own < 2 * int64(descriptor_limit[x]) + 2
        other_light = (l1[x] >= colour_limit[x] >> 1) & (own <= descriptor_limit[x] >> 1)
        other_light &= (unstable[x] == 0) | (flat[x] != 0)
        gain = step if doubled or flat[x] == 0 else 2 * step
        gain = gain if (weights[x] < _ONE) & (learning[x] != 0) else 0
        renewed[x] = seen(high, clock, gain)
        descriptor[x] = int32(distance)
        matched[x] = UNKNOWN if other_light else MATCHES if near else DIFFERS


@vectorised
def may_learn(last_mask: Bytes, held: Bytes, moving: bool, learning: Bytes) -> None:
    """Where words may gain occurrences: not in foreground unless the camera moves, not where held."""
    for x in range(learning.size):
        learning[x] = ((last_mask[x] == 0) | moving) & (held[x] == 0)


@vectorised
def draw_row(key: np.uint64, first: int, update_rate: Ints, learns: Bytes, spreads: Bytes) -> None:
    """Draw whether each pixel of a row, from index ``first`` on, learns globally and whether it spreads."""
    for x in range(update_rate.size):
        learns[x] = chance(key, first + x, DRAW_LEARN, update_rate[x])
        spreads[x] = chance(key, first + x, DRAW_SPREAD, update_rate[x])


@vectorised
def begin_row(intra: Longs, weights: Floats, descriptor: Longs, total: Floats, foreground: Bytes) -> None:
    """Keep the descriptors for the next frame; what holds where the best word matches."""
    for x in range(intra.size):
        descriptor[x] = intra[x]
        total[x] = weights[x]
        foreground[x] = 0

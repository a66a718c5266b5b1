"""Local binary similarity patterns and colour distances (WACV 2015, section 3.1; TIP 2016, section III-A).

A descriptor holds 16 bits per channel, packed as 48 bits of an int64 (channel c in bits 16c..16c+15). Bit k
says that the k-th neighbour differs from the reference value by more than the reference's threshold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import (
    compiled,
    double_cross,
    float32,
    inlined,
    int64,
    outside_bits,
    population_count,
    uint8,
    vectorised,
)

RIM = 2
"""Pixels at the image's edge whose 5x5 neighbourhood is not whole; they are never modelled."""
DESCRIPTOR_BITS = 48
MAX_COLOUR_DISTANCE = 765
FLAT_BITS = 4
"""A descriptor with fewer set bits is flat."""
UNRELATED = int64(1) << int64(60)
"""Colour distortion where rounding makes its square negative: pybgs gets NaN there, converted to 2**63.

As part of a mix distance it wraps to zero; alone it is larger than any threshold."""

NEIGHBOURS = (
    (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1),
    (-2, -2), (-2, 0), (-2, 2), (0, -2), (0, 2), (2, -2), (2, 0), (2, 2),
)  # fmt: skip
"""The double cross, (dy, dx): the ring at distance 1 and the axes and diagonals at distance 2."""
_ROOTS = np.sqrt(np.arange(4096)).astype(np.uint8)
"""Square roots of small numbers, rounded down."""


def threshold_table(ratio: float, offset: int) -> npt.NDArray[np.uint8]:
    """Similarity threshold for each reference value: ``round(offset + ratio * value)``.

    Args:
        ratio: relative threshold, >= 0.
        offset: absolute part, grey levels.

    Returns:
        uint8 (256,).
    """
    exact = float32(offset) + np.arange(256, dtype=np.float32) * float32(ratio)
    table: npt.NDArray[np.uint8] = np.clip(np.rint(exact), 0, 255).astype(np.uint8)
    return table


@compiled
def describe_row(
    planes: npt.NDArray[np.uint8],
    y: int,
    references: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    bounds: npt.NDArray[np.uint8],
    bits: npt.NDArray[np.uint8],
    out: npt.NDArray[np.int64],
) -> None:
    """Descriptors of one row against one reference colour per pixel.

    Args:
        planes: uint8 (3, H, W), the frame.
        y: the row, RIM..H-RIM-1.
        references: uint8 (3, W), the colours to compare the neighbours with.
        table: uint8 (256,), threshold for each reference value.
        bounds: uint8 (2, W), scratch.
        bits: uint8 (6, W), scratch.
        out: int64 (W,), the descriptors; the rim is left alone.
    """
    for channel in range(3):
        _bound_row(references[channel], table, bounds[0], bounds[1])
        for ring in range(2):
            _compare_ring(planes[channel], y, ring + 1, bounds[0], bounds[1], bits[2 * channel + ring])
    _pack_row(bits, out)


@vectorised
def _bound_row(
    references: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    low: npt.NDArray[np.uint8],
    high: npt.NDArray[np.uint8],
) -> None:
    """Between which values a neighbour is like the reference; looked up first, the rest in vectors."""
    for x in range(references.size):
        low[x] = table[references[x]]
    for x in range(references.size):
        value, threshold = references[x], low[x]
        low[x] = np.uint8(value - min(value, threshold))
        high[x] = np.uint8(value + min(np.uint8(255 - value), threshold))


@vectorised
def _compare_ring(
    plane: npt.NDArray[np.uint8],
    y: int,
    reach: int,
    low: npt.NDArray[np.uint8],
    high: npt.NDArray[np.uint8],
    bits: npt.NDArray[np.uint8],
) -> None:
    """The eight neighbours at distance ``reach`` against the bounds, a bit each in LBSP's order."""
    count = low.size - 2 * RIM
    left, right = RIM - reach, RIM + reach
    above, level, below = plane[y - reach], plane[y], plane[y + reach]
    v0, v1, v2 = above[left : left + count], above[RIM : RIM + count], above[right : right + count]
    v3, v4 = level[left : left + count], level[right : right + count]
    v5, v6, v7 = below[left : left + count], below[RIM : RIM + count], below[right : right + count]
    lower, upper, target = low[RIM : RIM + count], high[RIM : RIM + count], bits[RIM : RIM + count]
    for x in range(count):
        least, most = lower[x], upper[x]
        target[x] = np.uint8(
            _bit(v0[x], least, most, 1)
            | _bit(v1[x], least, most, 2)
            | _bit(v2[x], least, most, 4)
            | _bit(v3[x], least, most, 8)
            | _bit(v4[x], least, most, 16)
            | _bit(v5[x], least, most, 32)
            | _bit(v6[x], least, most, 64)
            | _bit(v7[x], least, most, 128)
        )


@inlined
def _bit(value: int, least: int, most: int, bit: int) -> int:
    """``bit`` where a value lies outside of its bounds."""
    return uint8(bit) if (value < least) | (value > most) else uint8(0)


@vectorised
def _pack_row(bits: npt.NDArray[np.uint8], out: npt.NDArray[np.int64]) -> None:
    """Descriptors from the two rings of each channel."""
    for x in range(RIM, out.size - RIM):
        low = int64(bits[0, x]) | int64(bits[1, x]) << 8 | int64(bits[2, x]) << 16
        out[x] = low | int64(bits[3, x]) << 24 | int64(bits[4, x]) << 32 | int64(bits[5, x]) << 40


@inlined
def gather_patch(planes: npt.NDArray[np.uint8], y: int, x: int, patch: npt.NDArray[np.uint8]) -> None:
    """Collect the 16 neighbours of each channel into ``patch``, uint8 (48,)."""
    for channel in range(3):
        double_cross(planes, channel, y, x, patch, 16 * channel)


@inlined
def describe_patch(
    patch: npt.NDArray[np.uint8], c0: int, c1: int, c2: int, table: npt.NDArray[np.uint8]
) -> int:
    """Descriptor of a gathered patch against the reference colour (c0, c1, c2)."""
    return (
        _describe_channel(patch, 0, c0, table)
        | (_describe_channel(patch, 16, c1, table) << 16)
        | (_describe_channel(patch, 32, c2, table) << 32)
    )


@inlined
def _describe_channel(
    patch: npt.NDArray[np.uint8], start: int, value: int, table: npt.NDArray[np.uint8]
) -> int:
    threshold = int64(table[value])
    return outside_bits(patch, start, max(value - threshold, 0), min(value + threshold, 255))


@inlined
def hamming(first: int, second: int) -> int:
    """Number of differing bits of two packed descriptors, 0..48."""
    return population_count(first ^ second)


@inlined
def colour_l1(a0: int, a1: int, a2: int, b0: int, b1: int, b2: int) -> int:
    """Sum of absolute channel differences, 0..765."""
    return abs(a0 - b0) + abs(a1 - b1) + abs(a2 - b2)


@inlined
def colour_distortion(a0: int, a1: int, a2: int, b0: int, b1: int, b2: int) -> int:
    """Length of the part of colour a that is not parallel to b (SuBSENSE, eq. 4), rounded down.

    Arithmetic is single precision but for the square root, as in pybgs; see :data:`UNRELATED`.
    """
    length = a0 * a0 + a1 * a1 + a2 * a2
    other = b0 * b0 + b1 * b1 + b2 * b2
    if other == 0:
        return int64(np.sqrt(np.float64(length)))
    product = a0 * b0 + a1 * b1 + a2 * b2
    square = float32(length) - float32(product * product) / float32(other)
    if square < float32(0):
        return UNRELATED
    if square < float32(_ROOTS.size):
        return int64(_ROOTS[int64(square)])
    return int64(np.sqrt(np.float64(square)))


@inlined
def mix_distance(l1: int, distortion: int) -> int:
    """Colour distance M: half the L1 distance plus four times the colour distortion."""
    return l1 // 2 + (0 if distortion == UNRELATED else 4 * distortion)

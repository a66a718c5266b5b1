"""Random numbers: counter-based by default, the C library's ``rand()`` stream for parity with pybgs.

The counter-based stream is SplitMix64's output function over (seed, frame, pixel, purpose): a draw depends on
nothing that was drawn before, so any number of threads and any order give the same numbers. The parity stream
is glibc's additive feedback generator (TYPE_3: x[i] = x[i-3] + x[i-31], the lowest bit dropped).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import compiled, inlined, int64

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32))
_DRAWS_PER_PIXEL = np.uint64(256)

DRAW_LEARN = 64
"""First purpose that is no word index: purposes 0..63 belong to words."""
DRAW_REPLACE = 65
DRAW_RESCUE = 66
DRAW_SPREAD = 67
DRAW_DIRECTION = 68
DRAW_NEAR = 128
"""Plus the word's index."""

NO_STREAM = np.zeros(0, dtype=np.uint32)
"""Passed as ``stream`` where numbers are counter-based."""


def c_library_stream(seed: int) -> npt.NDArray[np.uint32]:
    """State of glibc's ``rand()`` after ``srand(seed)``.

    Args:
        seed: 0..2**32-1; 0 acts as 1, as in the C library.

    Returns:
        uint32 (32,): a ring of the last 31 values and, last, the next position in it.
    """
    state = np.zeros(32, dtype=np.uint32)
    word = (seed or 1) & 0xFFFFFFFF
    word = word - (1 << 32) if word >= 1 << 31 else word
    for index in range(31):
        state[index] = word & 0xFFFFFFFF
        quotient = int(word / 127773)
        word = 16807 * (word - quotient * 127773) - 2836 * quotient
        word += 2147483647 if word < 0 else 0
    state[31] = 3
    for _ in range(310):
        _next(state)
    return state


@inlined
def _next(stream: npt.NDArray[np.uint32]) -> int:
    """Next number of the C library's stream, 0..2**31-1."""
    place = int64(stream[31])
    earlier = place - 3
    if earlier < 0:
        earlier += 31
    value = np.uint32(stream[place] + stream[earlier])
    stream[place] = value
    place += 1
    stream[31] = np.uint32(0 if place == 31 else place)
    return int64(value >> np.uint32(1))


@compiled
def frame_key(seed: int, frame: int, salt: int) -> np.uint64:
    """Start of the counter-based numbers of one frame; ``salt`` separates the uses of a frame."""
    return _mix(_mix(np.uint64(seed) * _GAMMA + np.uint64(salt)) + np.uint64(frame) * _GAMMA)


@inlined
def _mix(value: np.uint64) -> np.uint64:
    """SplitMix64's output function."""
    value = (value ^ (value >> _SHIFTS[0])) * _MIX_1
    value = (value ^ (value >> _SHIFTS[1])) * _MIX_2
    return value ^ (value >> _SHIFTS[2])


@inlined
def draw(bound: int, stream: npt.NDArray[np.uint32], key: np.uint64, pixel: int, purpose: int) -> int:
    """A number in 0..bound-1: from ``stream`` if it is not empty, else from (key, pixel, purpose).

    Args:
        bound: 1..2**31.
        stream: state of :func:`c_library_stream`, or :data:`NO_STREAM`.
        key: of :func:`frame_key`.
        pixel: row-major index of the pixel.
        purpose: what it is for, 0..255.
    """
    if stream.size > 0:
        return _next(stream) % bound
    if bound == 1:
        return 0
    value = _mix(np.uint64(key) + (np.uint64(pixel) * _DRAWS_PER_PIXEL + np.uint64(purpose)) * _GAMMA)
    return int64(((value >> _SHIFTS[3]) * np.uint64(bound)) >> _SHIFTS[3])


@inlined
def chance(key: np.uint64, pixel: int, purpose: int, bound: int) -> bool:
    """Whether :func:`draw` from the counter-based numbers would give 0."""
    value = _mix(np.uint64(key) + (np.uint64(pixel) * _DRAWS_PER_PIXEL + np.uint64(purpose)) * _GAMMA)
    return bool(((value >> _SHIFTS[3]) * np.uint64(bound)) >> _SHIFTS[3] == np.uint64(0))

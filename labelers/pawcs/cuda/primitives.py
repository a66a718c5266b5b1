"""What the device does in another way than the CPU: machine operations, layout of the words, random numbers.

:data:`REPLACED` and :data:`MODULES` name what these take the place of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numba import config, cuda

if not config.ENABLE_CUDASIM:
    from numba.cuda import libdevice

from spotlabel.labelers.pawcs.cuda.views import Local
from spotlabel.labelers.pawcs.jit import int64
from spotlabel.labelers.pawcs.lbsp import NEIGHBOURS
from spotlabel.labelers.pawcs.model import HEAD, Maps, Pixel, Tick
from spotlabel.labelers.pawcs.rng import _DRAWS_PER_PIXEL, _GAMMA, _SHIFTS, _mix

_OFFSETS = np.array(NEIGHBOURS, np.int64)
Functions: TypeAlias = dict[str, Callable[..., Any]]


def _device_numpy() -> ModuleType:
    """The part of numpy that the step uses, its functions taken from ``math``, as device code knows them."""
    module = ModuleType("device_numpy")
    for name in ("float32", "float64", "uint8", "uint16", "uint64", "int64", "int32"):
        setattr(module, name, getattr(np, name))
    for name in ("sqrt", "floor", "ceil"):
        setattr(module, name, getattr(math, name))
    return module


def _simulated_population_count(value: int) -> int:
    return (int(value) & 0xFFFFFFFFFFFFFFFF).bit_count()


def _device_population_count(value: int) -> int:
    return int64(cuda.popc(value))


def _rounded_product(first: float, second: float) -> float:
    """A single-precision product that is not fused with a sum."""
    return libdevice.fmul_rn(first, second)  # type: ignore[no-any-return]


def _outside_bits(values: Any, start: int, low: int, high: int) -> int:
    """Bit k set where ``values[start + k]`` lies outside [low, high], for 16 bytes."""
    bits = int64(0)
    for k in range(16):
        value = int64(values[start + k])
        if value < low or value > high:
            bits |= int64(1) << int64(k)
    return bits


def _gather_patch(planes: Any, y: int, x: int, patch: Any) -> None:
    """Collect the 16 neighbours of each channel into ``patch``, byte by byte."""
    for channel in range(3):
        for k in range(16):
            patch[16 * channel + k] = planes[channel, y + _OFFSETS[k, 0], x + _OFFSETS[k, 1]]


def _tail_size(words: Local) -> int:
    return int64(words.low.shape[0] - HEAD)


def _word_low(words: Local, pixel: int, index: int) -> Any:
    return words.low[index, pixel]


def _word_high(words: Local, pixel: int, index: int) -> Any:
    return words.high[index, pixel]


def _put_word(words: Local, pixel: int, index: int, low: int, high: int) -> None:
    words.low[index, pixel] = low
    words.high[index, pixel] = high


def _touch_word(words: Local, pixel: int, index: int, tick: Tick) -> None:
    """Nothing: the device weighs all words in every frame and keeps no record of their order."""


def _draw(bound: int, stream: Any, key: np.uint64, pixel: int, purpose: int) -> int:
    """As :func:`spotlabel.labelers.pawcs.rng.draw`, from the counter-based numbers alone."""
    if bound == 1:
        return int64(0)
    value = _mix(np.uint64(key) + (np.uint64(pixel) * _DRAWS_PER_PIXEL + np.uint64(purpose)) * _GAMMA)
    return int64(((value >> _SHIFTS[3]) * np.uint64(bound)) >> _SHIFTS[3])


def _note_illumination(maps: Maps, pixel: Pixel, tick: Tick, index: int, stream: Any) -> bool:
    """Whether the word may take the pixel's appearance goes into ``stream[0]``; see :mod:`illumination`."""
    steady = maps.unstable[pixel.y, pixel.x] == 0 or pixel.flat
    if steady and maps.held[pixel.y, pixel.x] == 0:
        stream[0] = 1
    return False


_MACHINE: Functions = {
    "population_count": _device_population_count,
    "_product": _rounded_product,
}
REPLACED: Functions = {
    "outside_bits": _outside_bits,
    "gather_patch": _gather_patch,
    "tail_size": _tail_size,
    "word_low": _word_low,
    "word_high": _word_high,
    "put_word": _put_word,
    "touch_word": _touch_word,
    "draw": _draw,
    "_takes_illumination": _note_illumination,
    **({"population_count": _simulated_population_count} if config.ENABLE_CUDASIM else _MACHINE),
}
MODULES: dict[str, ModuleType] = {} if config.ENABLE_CUDASIM else {"np": _device_numpy()}

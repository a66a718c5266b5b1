"""Arrays that a batch of videos keeps on the device, and views of one video's or one pixel's part of them.

All arrays have a leading axis of V videos. Local words lie plane by plane, (V, N, P): neighbouring threads
work on neighbouring pixels and so read neighbouring addresses.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import int64
from spotlabel.labelers.pawcs.model import Bytes, Floats, GlobalWords, Longs, Maps, Pixel, Tick
from spotlabel.labelers.pawcs.rows import Ints, Newcomers

ACTIVE, CLOCK, OFFSET, BOOTSTRAPPING, MOVING, COOLDOWN, WITH_LEVEL = range(7)
"""Columns of :attr:`Frames.counters`."""
NOTHING = 255
"""In :attr:`Findings.slot`: no global word is concerned."""
NEWCOMER = 254
"""In :attr:`Findings.slot`: the pixel asks to become a global word."""
NOBODY = -1
"""In :attr:`Findings.target`: the pixel asks for no neighbour update."""


class DeviceWords(NamedTuple):
    """Local words.

    Attributes:
        low, high: int64 (N, P) of one video or (V, N, P): first and second halves, as in :mod:`model`.
    """

    low: Longs
    high: Longs


Local: TypeAlias = Any
"""Words of one video: :class:`DeviceWords`, where the functions shared with the CPU say ``Words``."""


class Frames(NamedTuple):
    """The current frame of each video.

    Attributes:
        planes: uint8 (V, 3, H, W).
        table: uint8 (V, 256), similarity thresholds.
        counters: int64 (V, 7), see ACTIVE and following.
        shares: float32 (V, 3), newcomer weight, long-term and short-term share of the frame.
        key: uint64 (V,), of the random numbers.
    """

    planes: Bytes
    table: Bytes
    counters: Longs
    shares: Floats
    key: npt.NDArray[np.uint64]


class PixelStates(NamedTuple):
    """State of pixels, as this frame needs it, (V, P); see :class:`spotlabel.labelers.pawcs.rows.Rows`."""

    needed: Floats
    colour_limit: Ints
    descriptor_limit: Ints
    update_rate: Ints
    flat: Bytes


class Findings(NamedTuple):
    """What the passes over a frame leave for each other, (V, P).

    Attributes:
        total: float32, sum of matching weights.
        colour, descriptor: int32, smallest mix and descriptor distance of a match.
        foreground: uint8, no local consensus.
        illumination: uint8, see :mod:`spotlabel.labelers.pawcs.cuda.illumination`.
        postponed: int64, places of words that take the pixel's appearance if the left neighbour's did.
        slot: uint8, global word that matches the pixel, or NOTHING or NEWCOMER.
        target: int32, pixel that is asked to learn from this one, or NOBODY.
    """

    total: Floats
    colour: Ints
    descriptor: Ints
    foreground: Bytes
    illumination: Bytes
    postponed: Longs
    slot: Bytes
    target: Ints


class PixelScratch(NamedTuple):
    """Room for one thread.

    Attributes:
        patch: uint8 (48,), neighbours of the pixel.
        levels: float32 (256,), word weight by evidence level.
    """

    patch: Bytes
    levels: Floats


def words_of(words: DeviceWords, video: int) -> Local:
    """Words of one video."""
    return DeviceWords(words.low[video], words.high[video])


def maps_of(maps: Maps, video: int) -> Maps:
    """Maps of one video."""
    return Maps(
        maps.distance[video], maps.variation[video], maps.rate[video], maps.mean_distance[video],
        maps.mean_raw[video], maps.mean_final[video], maps.unstable[video], maps.blinking[video],
        maps.illumination[video], maps.last_mask[video], maps.raw[video], maps.descriptor[video],
        maps.held[video], maps.level[video],
    )  # fmt: skip


def globals_of(words: GlobalWords, video: int) -> GlobalWords:
    """Global words of one video; on the device each pixel's order lies along the first axis."""
    return GlobalWords(
        words.features[video], words.maps[video], words.totals[video], words.order[video],
        words.local_order[video].T,
    )  # fmt: skip


def states_of(states: PixelStates, video: int) -> PixelStates:
    """PixelStates of one video."""
    return PixelStates(
        states.needed[video], states.colour_limit[video], states.descriptor_limit[video],
        states.update_rate[video], states.flat[video],
    )  # fmt: skip


def findings_of(findings: Findings, video: int) -> Findings:
    """Findings of one video."""
    return Findings(
        findings.total[video], findings.colour[video], findings.descriptor[video], findings.foreground[video],
        findings.illumination[video], findings.postponed[video], findings.slot[video], findings.target[video],
    )  # fmt: skip


def newcomers_of(newcomers: Newcomers, video: int) -> Newcomers:
    """Newcomers of one video."""
    return Newcomers(
        newcomers.asked[video], newcomers.place[video], newcomers.weight[video], newcomers.gained[video]
    )


def tick_of(frames: Frames, video: int) -> Tick:
    """What is the same for all pixels of a video's frame."""
    counters, shares = frames.counters[video], frames.shares[video]
    return Tick(
        counters[CLOCK], counters[OFFSET], shares[0], counters[BOOTSTRAPPING] != 0, counters[MOVING] != 0,
        counters[COOLDOWN], shares[1], shares[2], frames.key[video], counters[WITH_LEVEL] != 0,
    )  # fmt: skip


def pixel_of(states: PixelStates, maps: Maps, planes: Bytes, tick: Tick, y: int, x: int) -> Pixel:
    """A pixel from its state in this frame."""
    number = y * maps.raw.shape[1] + x
    flat = states.flat[number] != 0
    return Pixel(
        number, x, y, maps.descriptor[y, x],
        int64(planes[0, y, x]), int64(planes[1, y, x]), int64(planes[2, y, x]),
        flat, int64(states.colour_limit[number]), int64(states.descriptor_limit[number]),
        states.needed[number], (1 + tick.cooldown) << int64(flat or tick.bootstrapping),
        int64(states.update_rate[number]),
    )  # fmt: skip

"""The device's arrays of a batch, and what goes to and fro."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import cuda

from spotlabel.labelers.pawcs.cuda import kernels
from spotlabel.labelers.pawcs.cuda.host import HostVideo
from spotlabel.labelers.pawcs.cuda.views import NOBODY, DeviceWords, Findings, Frames, PixelStates
from spotlabel.labelers.pawcs.model import HEAD, GlobalWords, Maps, Tick, Words, create_words
from spotlabel.labelers.pawcs.rows import Newcomers

_THREADS = 128


class DeviceState:
    """All arrays of V videos of H x W pixels, N local and G global words; see :mod:`views`.

    Args:
        count: V.
        height, width: H, W.
        words: N.
        globals_: G.
    """

    def __init__(self, count: int, height: int, width: int, words: int, globals_: int) -> None:
        self.count, self.height, self.width = count, height, width
        pixels, cells = (count, height * width), (count, globals_, height // 2, width // 2)

        def maps(kind: type[np.generic]) -> Any:
            return _zeros((count, height, width), kind)

        def pair() -> Any:
            return _zeros((count, 2, height, width), np.float32)

        def flat(kind: type[np.generic]) -> Any:
            return _zeros(pixels, kind)

        halves = (cuda.device_array((count, words, height * width), np.int64) for _ in range(2))
        self.words = DeviceWords(*halves)
        self.maps: Any = Maps(
            maps(np.float32), maps(np.float32), maps(np.float32), pair(), pair(), pair(), maps(np.uint8),
            maps(np.uint8), maps(np.uint8), maps(np.uint8), maps(np.uint8), maps(np.int64), maps(np.uint8),
            maps(np.uint8),
        )  # fmt: skip
        self.globals: Any = GlobalWords(
            _zeros((count, globals_, 5), np.int64), _zeros(cells, np.float32),
            _zeros((count, globals_), np.float32), _zeros((count, globals_), np.int64),
            _zeros((count, globals_, height * width), np.uint8),
        )  # fmt: skip
        self.frames = Frames(
            _zeros((count, 3, height, width), np.uint8), _zeros((count, 256), np.uint8),
            _zeros((count, 7), np.int64), _zeros((count, 3), np.float32), _zeros((count,), np.uint64),
        )  # fmt: skip
        self.states = PixelStates(
            flat(np.float32), flat(np.int32), flat(np.int32), flat(np.int32), flat(np.uint8)
        )
        self.findings = Findings(
            flat(np.float32), flat(np.int32), flat(np.int32), flat(np.uint8), flat(np.uint8), flat(np.int64),
            flat(np.uint8), cuda.to_device(np.full(pixels, NOBODY, np.int32)),
        )  # fmt: skip
        self.newcomers = Newcomers(
            _zeros((count, height), np.int64), _zeros((count, height, width, 2), np.int32), maps(np.float32),
            _zeros((count, height, globals_), np.float64),
        )  # fmt: skip
        self.flats = _zeros((count, height), np.int32)
        self.offsets = _zeros((count, height + 1), np.int64)
        self._staged = _Staged(*(_pinned(array) for array in self._exchanged()))
        self._held = [False] * count
        self._held_changed = False

    @property
    def memory(self) -> int:
        """Bytes of all arrays."""
        parts = (
            self.words, self.maps, self.globals, self.frames, self.states, self.findings, self.newcomers
        )  # fmt: skip
        return (
            sum(_bytes(array) for part in parts for array in part) + _bytes(self.flats) + _bytes(self.offsets)
        )

    def _exchanged(self) -> Iterator[Any]:
        """Device arrays in the order of :class:`_Staged`."""
        maps, words = self.maps, self.globals
        yield from self.frames
        yield from (maps.last_mask, maps.blinking, maps.mean_final, words.totals, words.order)
        yield from (maps.held, maps.raw, maps.level, self.flats)

    def share(self, video: int) -> dict[str, npt.NDArray[Any]]:
        """Page-locked arrays (H, W) of one video in which the host keeps maps that go to and fro."""
        names = ("last_mask", "blinking", "mean_final", "raw", "level")
        return {name: getattr(self._staged, name)[video] for name in names}

    def stage(self, number: int, video: HostVideo, tick: Tick | None, held: npt.NDArray[Any] | None) -> None:
        """Make the next frame of a video ready to be sent.

        Args:
            number: of the video.
            video: the host's side.
            tick: of the frame; None if there is none.
            held: bool (H, W), pixels not to be learnt.
        """
        staged = self._staged
        staged.counters[number, 0] = tick is not None
        if tick is None:
            return
        staged.planes[number], staged.table[number] = video.planes, video.table
        staged.counters[number, 1:] = (
            tick.clock, tick.weight_offset, tick.bootstrapping, tick.moving, tick.cooldown, tick.with_level,
        )  # fmt: skip
        staged.shares[number] = tick.newcomer_weight, tick.blend_long, tick.blend_short
        staged.key[number] = tick.key
        staged.totals[number], staged.order[number] = video.globals.totals, video.globals.order
        if held is not None or self._held[number]:
            staged.held[number] = 0 if held is None else held
            self._held_changed = True
        self._held[number] = held is not None

    def load(self) -> None:
        """Send what was staged and what the host has made of the last frames."""
        for name, array in zip(_Staged._fields[:10], self._exchanged(), strict=False):
            array.copy_to_device(getattr(self._staged, name))
        if self._held_changed:
            self.maps.held.copy_to_device(self._staged.held)
        self._held_changed = False

    def unload(self, videos: Sequence[HostVideo], with_level: bool) -> list[int]:
        """Fetch what the step has left; returns the number of flat pixels of each video."""
        staged = self._staged
        self.maps.raw.copy_to_host(staged.raw)
        self.flats.copy_to_host(staged.flats)
        self.globals.totals.copy_to_host(staged.totals)
        if with_level:
            self.maps.level.copy_to_host(staged.level)
        for number, video in enumerate(videos):
            if staged.counters[number, 0] != 0:
                video.globals.totals[:] = staged.totals[number]
        return [int(flats.sum()) for flats in staged.flats]


class _Staged(NamedTuple):
    """Page-locked copies of what is exchanged in every frame, to the device and, from ``raw`` on, from it."""

    planes: npt.NDArray[np.uint8]
    table: npt.NDArray[np.uint8]
    counters: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float32]
    key: npt.NDArray[np.uint64]
    last_mask: npt.NDArray[np.uint8]
    blinking: npt.NDArray[np.uint8]
    mean_final: npt.NDArray[np.float32]
    totals: npt.NDArray[np.float32]
    order: npt.NDArray[np.int64]
    held: npt.NDArray[np.uint8]
    raw: npt.NDArray[np.uint8]
    level: npt.NDArray[np.uint8]
    flats: npt.NDArray[np.int32]


class VideoLink:
    """The arrays of one video of a batch, for :class:`spotlabel.labelers.pawcs.cuda.host.HostVideo`."""

    def __init__(self, state: DeviceState, video: int) -> None:
        self._state, self._video = state, video

    def fetch_words(self) -> Words:
        """Local words, in the CPU's layout; without its record of order, which renews itself."""
        low, high = (array[self._video].copy_to_host() for array in self._state.words)
        words = create_words(low.shape[1], low.shape[0])
        size = low.shape[0] - HEAD
        words.head[:, 0::2], words.head[:, 1::2] = low[:HEAD].T, high[:HEAD].T
        words.tail[:, :size], words.tail[:, size:] = low[HEAD:].T, high[HEAD:].T
        return words

    def push_words(self, words: Words) -> None:
        """Replace the local words."""
        size = words.tail.shape[1] // 2
        for array, head, tail in zip(
            self._state.words,
            (words.head[:, 0::2], words.head[:, 1::2]),
            (words.tail[:, :size], words.tail[:, size:]),
            strict=True,
        ):
            array[self._video].copy_to_device(np.concatenate((head.T, tail.T)))

    def fetch_maps(self, maps: Maps) -> None:
        """Overwrite ``maps`` with the device's, but for those that the host has made since."""
        for name, array in self._own_maps():
            getattr(maps, name)[...] = array[self._video].copy_to_host()

    def push_maps(self, maps: Maps) -> None:
        """Replace the maps that the device makes."""
        for name, array in self._own_maps():
            array[self._video].copy_to_device(getattr(maps, name))

    def _own_maps(self) -> Iterator[tuple[str, Any]]:
        hosts = {"blinking", "last_mask", "mean_final", "held", "raw", "level"}
        for name, array in self._state.maps._asdict().items():
            if name not in hosts:
                yield name, array

    def fetch_globals(self, words: GlobalWords, orders: bool) -> None:
        """Overwrite the global words with the device's, the pixels' orders only if asked for."""
        own = self._state.globals
        words.features[:] = own.features[self._video].copy_to_host()
        words.maps[:] = own.maps[self._video].copy_to_host()
        if orders:
            words.local_order[:] = own.local_order[self._video].copy_to_host().T

    def push_globals(self, words: GlobalWords, orders: bool) -> None:
        """Replace the global words, the pixels' orders only if asked for; totals go with the next frame."""
        own = self._state.globals
        own.features[self._video].copy_to_device(words.features)
        own.maps[self._video].copy_to_device(words.maps)
        if orders:
            own.local_order[self._video].copy_to_device(np.ascontiguousarray(words.local_order.T))

    def order_globals(self) -> None:
        """One ordering pass over each pixel's order."""
        state = self._state
        refined = np.zeros(state.count, np.int32)
        refined[self._video] = 1
        blocks = -(-(state.height - 4) * state.width // _THREADS), state.count
        kernels.order_globals[blocks, _THREADS](state.maps, state.globals, cuda.to_device(refined))


def _zeros(shape: tuple[int, ...], kind: type[np.generic]) -> Any:
    """A device array of zeros."""
    return cuda.to_device(np.zeros(shape, kind))


def _pinned(array: Any) -> Any:
    """A page-locked host array of the same shape and type, of zeros."""
    staged = cuda.pinned_array(array.shape, array.dtype)
    staged[...] = 0
    return staged


def _bytes(array: Any) -> int:
    return int(array.nbytes)

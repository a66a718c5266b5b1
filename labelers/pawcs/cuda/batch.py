"""Several videos of one size, stepped together on the device."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numba.core.errors import NumbaPerformanceWarning

from spotlabel.labelers.pawcs.cuda import kernels
from spotlabel.labelers.pawcs.cuda.arrays import DeviceState, VideoLink
from spotlabel.labelers.pawcs.cuda.host import HostVideo
from spotlabel.labelers.pawcs.lbsp import RIM
from spotlabel.labelers.pawcs.model import Tick
from spotlabel.labelers.pawcs.settings import PawcsSettings

# a batch of few videos is what it is: no advice on larger grids
warnings.filterwarnings("ignore", message="Grid size", category=NumbaPerformanceWarning)

Image = npt.NDArray[np.uint8]
Held = npt.NDArray[np.bool_]
_THREADS = 128


class PawcsBatch:
    """The models of several videos; each video's masks are those of the CPU engine on it alone.

    Args:
        firsts: uint8 (H, W, 3), BGR, the first frame of each video.
        settings: parameters; ``threads`` is for the host's part, video by video.
        with_level: whether to compute distance evidence.

    Raises:
        ValueError: no video, frames of different sizes, or frames too small for PAWCS.
    """

    def __init__(self, firsts: Sequence[Image], settings: PawcsSettings, with_level: bool = False) -> None:
        sizes = {first.shape for first in firsts}
        if len(sizes) != 1:
            raise ValueError(f"a batch needs videos of one size, got {sorted(sizes)}")
        self._with_level = with_level
        self._videos = [HostVideo(first, settings, with_level) for first in firsts]
        self._pool = ThreadPoolExecutor(settings.threads)
        height, width = firsts[0].shape[:2]
        self._state = DeviceState(len(firsts), height, width, settings.words, self._videos[0].global_count)
        for number, video in enumerate(self._videos):
            video.share(self._state.share(number))
            video.attach(VideoLink(self._state, number))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        for video in self._videos:
            video.__exit__(kind, error, trace)

    @property
    def videos(self) -> Sequence[HostVideo]:
        """The host's side of each video."""
        return self._videos

    @property
    def memory(self) -> int:
        """Bytes on the device."""
        return self._state.memory

    def apply(
        self, images: Sequence[Image | None], held: Sequence[Held | None] | None = None
    ) -> list[Image | None]:
        """Segment the next frame of each video and learn from it.

        Args:
            images: uint8 (H, W, 3), BGR, one per video; None for a video that has no frame now.
            held: bool (H, W) or None, one per video: pixels not to be learnt as background.

        Returns:
            uint8 (H, W), 0 or 255, per video; None where no frame was given.
        """
        held = held or [None] * len(images)
        ticks = list(self._pool.map(self._begin, range(len(images)), images, held))
        self._state.load()
        self.step()
        flats = self._state.unload(self._videos, self._with_level)
        return list(self._pool.map(_finish, self._videos, images, flats, ticks))

    def _begin(self, number: int, image: Image | None, held: Held | None) -> Tick | None:
        """Take in the next frame of a video."""
        video = self._videos[number]
        tick = None if image is None else video.begin(image)
        self._state.stage(number, video, tick, held)
        return tick

    def step(self) -> None:
        """Run the kernels of one frame on the frames that were loaded last; part of :meth:`apply`."""
        state, rules = self._state, self._videos[0].rules
        count, height, width = state.count, state.height, state.width
        rows = height - 2 * RIM
        pixels = -(-rows * width // _THREADS), count
        cells = -(-(height // 2) * (width // 2) // _THREADS), count
        words, maps, globals_ = state.words, state.maps, state.globals
        frames, states, findings, newcomers = state.frames, state.states, state.findings, state.newcomers
        _run(kernels.compare_words, pixels, words, maps, frames, states, findings, rules)
        _run(kernels.settle_pixels, pixels, words, maps, globals_, frames, states, findings)
        _run(kernels.settle_cells, cells, maps, globals_, frames, states, findings)
        _run(kernels.adapt_pixels, pixels, maps, frames, states, findings, rules)
        _run(kernels.grant_updates, pixels, words, maps, frames, states, findings)
        row_blocks = (-(-rows // 32), count)
        _run(kernels.gather_rows, row_blocks, maps, frames, states, findings, newcomers, state.flats)
        _run(kernels.settle_globals, (1, count), maps, globals_, frames, newcomers, state.offsets)


def _run(kernel: Any, blocks: tuple[int, int], *arguments: object) -> None:
    threads = 32 if kernel is kernels.gather_rows else _THREADS
    kernel[blocks, threads](*arguments)


def _finish(video: HostVideo, image: Image | None, flat: int, tick: Tick | None) -> Image | None:
    return None if image is None or tick is None else video.finish(image, flat, tick)

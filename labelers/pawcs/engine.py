"""Engine of PAWCS on the CPU: one video, frame by frame, in bands of rows on threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.frame_level import SceneWatch, Sensitivity, background_image
from spotlabel.labelers.pawcs.global_words import order_globals, refine_globals, replace_newcomers
from spotlabel.labelers.pawcs.jit import float32
from spotlabel.labelers.pawcs.lbsp import RIM, describe_row, threshold_table
from spotlabel.labelers.pawcs.model import (
    CLOCK_LIMIT,
    CLOCK_STEP,
    Tick,
    create_global_words,
    create_maps,
    create_words,
    state_bytes,
    turn_back_clock,
)
from spotlabel.labelers.pawcs.postprocess import clean, dilate, median_size
from spotlabel.labelers.pawcs.refresh import Refresh, refresh_globals, refresh_rows
from spotlabel.labelers.pawcs.rng import NO_STREAM, c_library_stream, frame_key
from spotlabel.labelers.pawcs.rows import create_newcomers, create_rows, create_scratch
from spotlabel.labelers.pawcs.settings import PawcsSettings, Rules
from spotlabel.labelers.pawcs.state import Frame, Model
from spotlabel.labelers.pawcs.step import grant_edges, step_rows

T = TypeVar("T")

MIN_SIDE = 16
_BANDS_PER_THREAD = 8
_RECOUNT_PERIOD = 32
_DISTORTION_SHARE = 10
_SALT_STEP, _SALT_REFRESH = 1, 2


class PawcsEngine:
    """The model of one video.

    Args:
        first: uint8 (H, W, 3), BGR, the first frame; sides of at least MIN_SIDE.
        settings: parameters.
        with_level: whether to compute distance evidence.

    Raises:
        ValueError: the frame is smaller than MIN_SIDE.
    """

    def __init__(
        self, first: npt.NDArray[np.uint8], settings: PawcsSettings, with_level: bool = False
    ) -> None:
        height, width = first.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise ValueError(f"frame of {width}x{height} pixels: PAWCS needs sides of at least {MIN_SIDE}")
        self._settings = settings
        self._with_level = with_level
        self._rules = _rules(settings)
        self._stream = c_library_stream(settings.seed) if settings.parity else NO_STREAM
        self._pool = None
        self._bands = [(RIM, height - RIM)]
        if settings.threads > 1 and not settings.parity:
            self._pool = ThreadPoolExecutor(settings.threads)
            self._bands = _split(RIM, height - RIM, settings.threads * _BANDS_PER_THREAD)
        globals_ = _global_count(settings.words // 2, height, width)
        self._words = create_words(height * width, settings.words)
        self._maps = create_maps(height, width, settings.rate_min)
        self._globals = create_global_words(height, width, globals_)
        self._rows = create_rows(len(self._bands), width)
        self._newcomers = create_newcomers(height, width, globals_)
        self._model = Model(self._words, self._maps, self._globals, self._rows, self._newcomers, self._rules)
        self._scratch = [create_scratch(width) for _ in self._bands]
        table = threshold_table(settings.lbsp_ratio, settings.lbsp_offset)
        self._sensitivity = Sensitivity(table, settings.lbsp_ratio_min, settings.lbsp_ratio_max)
        self._scene = SceneWatch(height, width)
        self._median = median_size(height, width)
        self._blink = np.zeros((3, height, width), np.uint8)  # last raw mask, last change, sure background
        self._frame = self._clock = 0
        self._offset = settings.weight_offset
        self._moving = False
        self._watching = True
        self._calm = self._cooldown = 0
        self._planes = _planes(first)
        self._describe()
        self._refresh(base=1, fresh=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    @property
    def level(self) -> npt.NDArray[np.uint8]:
        """Distance evidence of the last frame before post-processing, uint8 (H, W)."""
        return self._maps.level

    @property
    def raw(self) -> npt.NDArray[np.uint8]:
        """Raw segmentation of the last frame, uint8 (H, W), 0 or 255."""
        return self._maps.raw

    @property
    def median(self) -> int:
        """Side of the median filter."""
        return self._median

    @property
    def global_count(self) -> int:
        """Number of global words."""
        return int(self._globals.totals.size)

    @property
    def memory(self) -> int:
        """Bytes held by the model."""
        return state_bytes(
            self._words, self._maps, self._globals, self._rows, self._newcomers, *self._scratch
        )

    def apply(
        self, image: npt.NDArray[np.uint8], held: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Segment the next frame and learn from it.

        Args:
            image: uint8 (H, W, 3), BGR.
            held: bool (H, W), pixels not to be learnt as background.

        Returns:
            uint8 (H, W), 0 or 255; the final mask. Overwritten never.
        """
        self._maps.held[:] = 0 if held is None else held
        self._maps.raw[:] = 0
        self._planes = _planes(image)
        self._advance_clock()
        tick = self._tick()
        change = self._aside(lambda: self._watch(image, tick))
        band = self._bands[0][1] - self._bands[0][0]
        frame = Frame(self._planes, self._sensitivity.table, tick, self._stream, band)
        flat = sum(self._over_bands(lambda start, stop: self._step(start, stop, frame)))
        if self._stream.size == 0:
            self._over_bands(lambda start, stop: grant_edges(start, stop, self._model, frame))
        cleaned = self._aside(lambda: clean(self._maps.raw, self._median))
        if self._stream.size == 0:
            touched = np.empty((self._newcomers.asked.sum(), 2), np.int64)
            replace_newcomers(self._globals, self._newcomers, self._planes, self._maps.descriptor, touched)
        self._refine_globals(tick)
        mask = self._finish_masks(tick, cleaned.result())
        self._check_frame(change.result(), flat, tick)
        return mask

    def _aside(self, task: Callable[[], T]) -> Future[T]:
        """Do something beside what follows, on the pool if there is one; else at once."""
        if self._pool is not None:
            return self._pool.submit(task)
        done: Future[T] = Future()
        done.set_result(task())
        return done

    def _over_bands(self, task: Callable[[int, int], int | None]) -> list[int]:
        """Run a task over all bands of rows, on the pool if there is one."""
        if self._pool is None:
            return [task(start, stop) or 0 for start, stop in self._bands]
        return [result or 0 for result in self._pool.map(lambda band: task(*band), self._bands)]

    def _advance_clock(self) -> None:
        self._frame += 1
        self._clock += 1
        if self._clock > CLOCK_LIMIT:
            turn_back_clock(self._words, self._offset)
            self._clock -= CLOCK_STEP

    def _tick(self) -> Tick:
        bootstrapping = self._frame <= self._settings.bootstrap
        samples = self._settings.samples // 2 if bootstrapping else self._settings.samples
        one = float32(1)
        return Tick(
            self._clock,
            self._offset,
            one / float32(self._settings.weight_offset),
            bootstrapping,
            self._moving,
            self._cooldown,
            one / float32(min(self._frame, samples)),
            one / float32(min(self._frame, samples // 4)),
            np.uint64(frame_key(self._settings.seed, self._frame, _SALT_STEP)),
            self._with_level,
        )

    def _step(self, start: int, stop: int, frame: Frame) -> int:
        scratch = self._scratch[self._bands.index((start, stop))]
        return step_rows(start, stop, self._model, frame, scratch)

    def _refine_globals(self, tick: Tick) -> None:
        period = self._settings.resampling // 2 if tick.bootstrapping else self._settings.resampling
        refine = self._frame % period == 0
        recount = self._frame % (period * _RECOUNT_PERIOD) == 0
        refine_globals(self._globals, self._blink[2], recount, refine)
        if refine:
            self._over_bands(self._order_globals)

    def _order_globals(self, start: int, stop: int) -> None:
        scratch = np.empty((self._globals.maps.shape[2], self._globals.totals.size), np.int32)
        order_globals(self._globals, start, stop, self._maps.raw.shape[1], scratch)

    def _finish_masks(self, tick: Tick, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Blinking pixels and running means of the final mask, which it returns."""
        maps, blink = self._maps, self._blink
        change = maps.raw ^ blink[0]
        np.bitwise_or(change, blink[1], out=maps.blinking)
        blink[0], blink[1] = maps.raw, change
        maps.last_mask[:] = mask
        maps.blinking[:] &= blink[2]
        np.bitwise_not(dilate(mask), out=blink[2])
        maps.blinking[:] &= blink[2]
        for term, blend in enumerate((tick.blend_long, tick.blend_short)):
            mean = maps.mean_final[term]
            cv2.addWeighted(
                mean, float(float32(1) - blend), mask, float(blend) / 255, 0, dst=mean, dtype=cv2.CV_32F
            )
        return mask

    def _watch(self, image: npt.NDArray[np.uint8], tick: Tick) -> float:
        """How much the scene as a whole changes."""
        return self._scene.update(image, float(tick.blend_long), float(tick.blend_short))

    def _check_frame(self, change: float, flat: int, tick: Tick) -> None:
        """Frame-level checks: descriptor sensitivity, moving camera, sudden change."""
        settings = self._settings
        height, width = self._maps.raw.shape
        modelled = (height - 2 * RIM) * (width - 2 * RIM)
        self._sensitivity.adapt((modelled - flat) / modelled)
        self._watching = self._watching or change >= 2 * settings.reset_difference
        if self._watching or self._moving:
            if self._frame % settings.bootstrap == 0:
                self._check_camera(tick)
            if self._calm > 2 * settings.bootstrap:
                self._watching = False
            elif change >= settings.reset_difference and self._cooldown == 0:
                self._calm = 0
                self._refresh(base=self._offset // 8)
                samples = settings.samples // 2 if tick.bootstrapping else settings.samples
                self._cooldown = samples // 4
                self._maps.rate[:] = settings.rate_min
            elif not tick.bootstrapping:
                self._calm += 1
        self._cooldown = max(self._cooldown - 1, 0)

    def _check_camera(self, tick: Tick) -> None:
        """Compare the background with what is seen, to tell whether the camera moves."""
        background = np.zeros((*self._maps.raw.shape, 3), np.uint8)
        background_image(self._words, self._clock, self._offset, background)
        difference, distortion = self._scene.distance_to(background)
        limit = self._settings.reset_difference
        if self._moving and difference < limit // 4 and distortion < limit // _DISTORTION_SHARE / 4:
            self._set_moving(False, self._settings.weight_offset)
        elif (
            tick.bootstrapping
            and not self._moving
            and (difference >= limit or distortion >= limit // _DISTORTION_SHARE)
        ):
            self._set_moving(True, self._settings.moving_weight_offset)

    def _set_moving(self, moving: bool, offset: int) -> None:
        self._moving = moving
        self._offset = offset
        self._refresh(base=1, forget=True)

    def _describe(self) -> None:
        """Descriptors of the frame in ``_planes``, as those of the last frame."""
        width = self._planes.shape[2]
        bounds, bits = np.empty((2, width), np.uint8), np.empty((6, width), np.uint8)
        for y in range(RIM, self._planes.shape[1] - RIM):
            row = self._planes[:, y]
            describe_row(
                self._planes, y, row, self._sensitivity.table, bounds, bits, self._maps.descriptor[y]
            )

    def _refresh(self, base: int, fresh: bool = False, forget: bool = False) -> None:
        """Rebuild the dictionaries from the last frame."""
        key = np.uint64(frame_key(self._settings.seed, self._frame, _SALT_REFRESH))
        refresh = Refresh(
            self._planes, self._words, self._maps, self._rules, self._clock, self._offset,
            base, fresh, forget, key, self._stream,
        )  # fmt: skip
        self._over_bands(lambda start, stop: refresh_rows(start, stop, refresh))
        refresh_globals(self._globals, self._words, self._maps, self._rules, self._clock, self._offset, fresh)
        self._over_bands(self._order_globals)


def _rules(settings: PawcsSettings) -> Rules:
    """The settings as the compiled code takes them."""
    return Rules(
        settings.words,
        settings.colour_threshold,
        settings.descriptor_offset,
        float32(settings.distance_step),
        float32(settings.variation_up),
        float32(settings.variation_down),
        float32(settings.rate_up),
        float32(settings.rate_down),
        float32(settings.rate_min),
        float32(settings.rate_max),
        float32(settings.unstable_ratio),
        float32(settings.unstable_distance),
    )


def _planes(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The frame channel by channel, uint8 (3, H, W)."""
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(np.ascontiguousarray(image), list(planes))
    return planes


def _split(start: int, stop: int, parts: int) -> list[tuple[int, int]]:
    """Bands of rows that begin at even rows, so that a cell of the global maps belongs to one band."""
    step = max(-(-(stop - start) // parts), 2)
    step += step % 2
    return [(row, min(row + step, stop)) for row in range(start, stop, step)]


def _global_count(most: int, height: int, width: int) -> int:
    """Number of global words: ``most`` from 320x240 on, fewer below."""
    if height * width >= 320 * 240:
        return most
    scale = float32(height * width) / float32(320 * 240)
    return min(int(float(most * scale) ** 2) + 1, most)

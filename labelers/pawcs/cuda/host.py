"""One video's side on the host: what is light or rare stays on the CPU.

Post-processing and the frame-level checks run on the CPU in every frame, decay and blur of the global maps
every few frames, and what rebuilds the model (start, sudden change, moving camera) when it happens. All of it
is the CPU engine's own code, on copies of the device's arrays.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.engine import PawcsEngine, _planes
from spotlabel.labelers.pawcs.model import CLOCK_LIMIT, GlobalWords, Maps, Tick, Words, create_words
from spotlabel.labelers.pawcs.postprocess import clean
from spotlabel.labelers.pawcs.settings import PawcsSettings, Rules


class Link(Protocol):
    """The device's arrays of one video."""

    def fetch_words(self) -> Words:
        """Local words, in the CPU's layout."""

    def push_words(self, words: Words) -> None:
        """Replace the local words."""

    def fetch_maps(self, maps: Maps) -> None:
        """Overwrite ``maps`` with the device's."""

    def push_maps(self, maps: Maps) -> None:
        """Replace the maps."""

    def fetch_globals(self, words: GlobalWords, orders: bool) -> None:
        """Overwrite the global words with the device's, the pixels' orders only if asked for."""

    def push_globals(self, words: GlobalWords, orders: bool) -> None:
        """Replace the global words, the pixels' orders only if asked for."""

    def order_globals(self) -> None:
        """One ordering pass over each pixel's order."""


class HostVideo(PawcsEngine):
    """What the CPU keeps and does of one video; :meth:`begin`, then the device's step, then :meth:`finish`.

    Args:
        first: uint8 (H, W, 3), BGR, the first frame.
        settings: parameters.
        with_level: whether to compute distance evidence.
    """

    def __init__(self, first: npt.NDArray[np.uint8], settings: PawcsSettings, with_level: bool) -> None:
        self._link: Link | None = None
        super().__init__(first, settings, with_level)

    @property
    def maps(self) -> Maps:
        """Maps that the host keeps: ``last_mask``, ``blinking``, ``mean_final``, ``raw``, ``level``."""
        return self._maps

    @property
    def globals(self) -> GlobalWords:
        """Global words; ``totals`` and ``order`` are current."""
        return self._globals

    @property
    def rules(self) -> Rules:
        """Parameters as the compiled code takes them."""
        return self._rules

    @property
    def planes(self) -> npt.NDArray[np.uint8]:
        """The current frame, uint8 (3, H, W)."""
        return self._planes

    @property
    def table(self) -> npt.NDArray[np.uint8]:
        """Similarity thresholds, uint8 (256,)."""
        return self._sensitivity.table

    def share(self, maps: dict[str, npt.NDArray[Any]]) -> None:
        """Keep maps in these arrays from now on."""
        for name, array in maps.items():
            array[...] = getattr(self._maps, name)
        self._maps = self._maps._replace(**maps)
        self._model = self._model._replace(maps=self._maps)

    def attach(self, link: Link) -> None:
        """Hand the model over to the device."""
        self._link = link
        link.push_words(self._words)
        link.push_maps(self._maps)
        link.push_globals(self._globals, orders=True)
        self._drop_words()

    def begin(self, image: npt.NDArray[np.uint8]) -> Tick:
        """Take in the next frame, uint8 (H, W, 3)."""
        self._planes = _planes(image)
        self._advance_clock()
        return self._tick()

    def finish(self, image: npt.NDArray[np.uint8], flat: int, tick: Tick) -> npt.NDArray[np.uint8]:
        """All that follows the step, which has left ``raw``, ``totals`` and ``order``.

        Args:
            image: the frame given to :meth:`begin`.
            flat: number of flat pixels.
            tick: what :meth:`begin` returned.

        Returns:
            uint8 (H, W), 0 or 255; the final mask.
        """
        self._refine_globals(tick)
        mask = self._finish_masks(tick, clean(self._maps.raw, self._median))
        self._check_frame(self._watch(image, tick), flat, tick)
        return mask

    def _drop_words(self) -> None:
        """Forget the host's copy of the local words."""
        self._words = create_words(0, self._settings.words)
        self._model = self._model._replace(words=self._words)

    def _advance_clock(self) -> None:
        turns = self._clock == CLOCK_LIMIT
        if turns and self._link is not None:
            self._words = self._link.fetch_words()
        super()._advance_clock()
        if turns and self._link is not None:
            self._link.push_words(self._words)
            self._drop_words()

    def _refine_globals(self, tick: Tick) -> None:
        period = self._settings.resampling // 2 if tick.bootstrapping else self._settings.resampling
        refines = self._frame % period == 0
        if self._link is not None and refines:
            self._link.fetch_globals(self._globals, orders=False)
        super()._refine_globals(tick)
        if self._link is not None and refines:
            self._link.push_globals(self._globals, orders=False)
            self._link.order_globals()

    def _order_globals(self, start: int, stop: int) -> None:
        if self._link is None or self._words.head.size > 0:  # while the host holds the model
            super()._order_globals(start, stop)

    def _check_frame(self, change: float, flat: int, tick: Tick) -> None:
        super()._check_frame(change, flat, tick)
        if self._link is not None and self._words.head.size > 0:  # rebuilt
            self.attach(self._link)

    def _check_camera(self, tick: Tick) -> None:
        if self._link is not None:
            self._words = self._link.fetch_words()
        moving = self._moving
        super()._check_camera(tick)
        if self._moving == moving:
            self._drop_words()

    def _refresh(self, base: int, fresh: bool = False, forget: bool = False) -> None:
        if self._link is not None:
            self._words = self._link.fetch_words()
            self._link.fetch_maps(self._maps)
            self._link.fetch_globals(self._globals, orders=True)
        super()._refresh(base, fresh, forget)

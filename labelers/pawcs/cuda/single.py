"""One video on the device, with the CPU engine's interface."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.cuda.batch import PawcsBatch
from spotlabel.labelers.pawcs.settings import PawcsSettings


class CudaEngine:
    """A batch of one video; see :class:`spotlabel.labelers.pawcs.engine.PawcsEngine`.

    Args:
        first: uint8 (H, W, 3), BGR, the first frame.
        settings: parameters.
        with_level: whether to compute distance evidence.

    Raises:
        ValueError: the frame is too small for PAWCS.
    """

    def __init__(
        self, first: npt.NDArray[np.uint8], settings: PawcsSettings, with_level: bool = False
    ) -> None:
        self._batch = PawcsBatch([first], settings, with_level)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._batch.__exit__(kind, error, trace)

    @property
    def level(self) -> npt.NDArray[np.uint8]:
        """Distance evidence of the last frame before post-processing, uint8 (H, W)."""
        return self._batch.videos[0].level

    @property
    def median(self) -> int:
        """Side of the median filter."""
        return self._batch.videos[0].median

    def apply(
        self, image: npt.NDArray[np.uint8], held: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Segment the next frame and learn from it.

        Args:
            image: uint8 (H, W, 3), BGR.
            held: bool (H, W), pixels not to be learnt as background.

        Returns:
            uint8 (H, W), 0 or 255; the final mask.
        """
        (mask,) = self._batch.apply([image], [held])
        assert mask is not None  # a frame was given
        return mask

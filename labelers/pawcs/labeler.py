"""Labelers ``pawcs``, ``pawcs-distance``, ``pawcs-held``: masks, distances, learning held inside boxes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame, Evidence, EvidenceKind, Settings
from spotlabel.labelers.pawcs.devices import Engine, create_engine
from spotlabel.labelers.pawcs.evidence import NEUTRAL
from spotlabel.labelers.pawcs.postprocess import clean_level
from spotlabel.labelers.pawcs.settings import PawcsSettings

Values = npt.NDArray[np.bool_] | npt.NDArray[np.uint8]


class Pawcs:
    """Foreground by word consensus (WACV 2015, TIP 2016): the final mask of each frame.

    The evidence is the mask itself: post-processing feeds back into the model, so the labeler does it in any
    case, and a mask takes far less room than a distance map. Use :class:`PawcsDistance` to re-tune.
    """

    name: ClassVar[str] = "pawcs"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.BINARY
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy", "opencv-contrib-python")
    settings_type: ClassVar[type[Settings]] = PawcsSettings

    def __init__(self, settings: Settings) -> None:
        if not isinstance(settings, PawcsSettings):
            raise TypeError(
                f"{self.name}: settings of type PawcsSettings expected, not {type(settings).__name__}"
            )
        self._settings = settings

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the evidence of each frame of ``clip``, in order.

        Args:
            clip: frames of one video, all of one size; run through twice if ``warm_up`` asks for it.

        Yields:
            As the labeler's ``kind`` says; the first ``unsure_frames`` are marked as warm-up.

        Raises:
            LabelerError: the device asked for is not there.
            ValueError: a frame is too small for PAWCS or differs in size from the first.
        """
        first_frames = list(islice(clip, max(self._settings.warm_up, 1)))
        if not first_frames:
            return
        warm_up = first_frames[: self._settings.warm_up]
        start = warm_up[-1] if warm_up else first_frames[0]
        with_level = self.kind is EvidenceKind.DISTANCE
        with create_engine(start.image, self._settings, with_level) as engine:
            for frame in reversed(warm_up):
                engine.apply(_checked(frame, clip), self._held(frame))
            for index, frame in enumerate(clip):
                mask = engine.apply(_checked(frame, clip), self._held(frame))
                yield Evidence(self._values(engine, mask), index < self._settings.unsure_frames)

    def _held(self, frame: ClipFrame) -> npt.NDArray[np.bool_] | None:
        """Pixels whose model must not learn."""
        return None

    def _values(self, engine: Engine, mask: npt.NDArray[np.uint8]) -> Values:
        """Evidence of the frame just segmented."""
        return mask > 0


class PawcsDistance(Pawcs):
    """The same with distance evidence: the factor on a pixel's thresholds at which it would be background.

    Values are in steps of 1/128, saturating at 255; post-processing has been done on them, and
    ``values > neutral`` is exactly the mask of :class:`Pawcs`. At another threshold the same
    holds but for holes, which are those of the neutral threshold.
    """

    name: ClassVar[str] = "pawcs-distance"
    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL

    def _values(self, engine: Engine, mask: npt.NDArray[np.uint8]) -> Values:
        return clean_level(engine.level, NEUTRAL, engine.median)


class PawcsHeld(Pawcs):
    """The same, learning nothing inside ground-truth boxes, so that what stands still there is kept."""

    name: ClassVar[str] = "pawcs-held"
    uses_boxes: ClassVar[bool] = True

    def _held(self, frame: ClipFrame) -> npt.NDArray[np.bool_] | None:
        height, width = frame.image.shape[:2]
        held = np.zeros((height, width), np.bool_)
        limit = np.array([width, height, width, height], np.float32)
        edges = np.clip(frame.boxes, 0, limit)
        starts, stops = np.floor(edges[:, :2]).astype(int), np.ceil(edges[:, 2:]).astype(int)
        for (x0, y0), (x1, y1) in zip(starts, stops, strict=True):
            held[y0:y1, x0:x1] = True
        return held


def _checked(frame: ClipFrame, clip: Clip) -> npt.NDArray[np.uint8]:
    """The frame's image.

    Raises:
        ValueError: its size is not the clip's.
    """
    height, width = clip.size
    if frame.image.shape != (height, width, 3):
        raise ValueError(f"frame {frame.number}: shape {frame.image.shape}, expected ({height}, {width}, 3)")
    return frame.image

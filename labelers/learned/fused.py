"""Labelers ``boxbg-teacher`` and ``egoflow-cut-teacher``: a box segmenter put together with another labeler.

The other labeler runs first over the whole video; its masks are kept, packed. Then the network is asked about
boxes spread over the video, which tells how far that labeler can be relied on there; then about all boxes,
frame by frame.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame, Evidence, EvidenceKind, Labeler, Settings
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut
from spotlabel.labelers.learned.agreement import open_sides
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.fusion import BoxPair, fused, reliable
from spotlabel.labelers.learned.segmenter import LIBRARIES, Boxes, Segmenter
from spotlabel.labelers.learned.settings import (
    FILES,
    BoxbgTeacherSettings,
    EgoflowCutTeacherSettings,
    FusedSettings,
)
from spotlabel.labelers.learned.teacher import NEUTRAL, painted
from spotlabel.labelers.masks import PRESETS
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.frame import foreground_in_boxes

_VERSION = 1
"""Of the fusion; the labeler's own is added, so that either makes evidence stale."""
_RULES = PRESETS["default"]
_MOST_SAMPLED_FRAMES = 128


class _Fused:
    """What both labelers have in common."""

    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    files: ClassVar[Mapping[str, str]] = FILES

    def __init__(self, inner: Labeler, settings: FusedSettings, files: Mapping[str, bytes]) -> None:
        self._inner, self._judged = inner, settings.judged
        self._segmenter = Segmenter(files["network"], settings.device, settings.batch)

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the fused evidence of every frame, foreground above 127; no frame is warm-up.

        A frame of which the other labeler does not know the scene has the network's probabilities.
        """
        noted = _Noted(clip)
        masks: dict[int, _Packed] = {}
        for index, evidence in enumerate(self._inner.label(noted)):
            number, boxes = noted.frames[index]
            masks[number] = _Packed.of(self._mask(boxes, evidence))
        asked = _Asked(self._segmenter)
        is_reliable = reliable(self._sample(clip, masks, asked))
        for frame in clip:
            pairs = asked.pairs(frame, masks[frame.number].mask())
            values = [None if pair is None else fused(pair, is_reliable) for pair in pairs]
            yield Evidence(painted(frame.boxes, values, clip.size))

    def _mask(self, boxes: Boxes, evidence: Evidence) -> Image | None:
        """The other labeler's mask as the default rules make it, all boxes kept; None during warm-up."""
        if evidence.warm_up:
            return None
        plane = evidence.values.view(np.uint8)
        shape = (plane.shape[0], plane.shape[1])
        rects = pixel_rects(boxes, shape, _RULES)
        return foreground_in_boxes(plane, self._inner.kind, rects, _RULES, self._inner.neutral)

    def _sample(self, clip: Clip, masks: Mapping[int, _Packed], asked: _Asked) -> list[BoxPair]:
        """Boxes spread over the video."""
        every = max(1, math.ceil(len(clip) / min(self._judged, _MOST_SAMPLED_FRAMES)))
        a_frame = self._judged // math.ceil(len(clip) / every)
        pairs: list[BoxPair] = []
        for frame in clip.sampled(every):
            rows = list(range(0, len(frame.boxes), math.ceil(len(frame.boxes) / a_frame) or 1))
            found = asked.pairs(frame, masks[frame.number].mask(), rows)
            pairs += [pair for pair in found if pair is not None]
        return pairs


class BoxbgTeacher(_Fused):
    """A box segmenter put together with ``boxbg``; for fixed cameras."""

    name: ClassVar[str] = "boxbg-teacher"
    version: ClassVar[int] = 100 * _VERSION + Boxbg.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*LIBRARIES, *Boxbg.libraries}))
    settings_type: ClassVar[type[Settings]] = BoxbgTeacherSettings

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = BoxbgTeacherSettings.model_validate(settings.model_dump())
        super().__init__(Boxbg(chosen.boxbg), chosen, files)

    @staticmethod
    def notice() -> str:
        """What a user is told who would wait without knowing for what."""
        return Boxbg.notice()


class EgoflowCutTeacher(_Fused):
    """A box segmenter put together with ``egoflow-cut``; for moving cameras."""

    name: ClassVar[str] = "egoflow-cut-teacher"
    version: ClassVar[int] = 100 * _VERSION + EgoflowCut.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*LIBRARIES, *EgoflowCut.libraries}))
    settings_type: ClassVar[type[Settings]] = EgoflowCutTeacherSettings

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = EgoflowCutTeacherSettings.model_validate(settings.model_dump())
        super().__init__(EgoflowCut(chosen.egoflow_cut), chosen, files)


class _Noted:
    """A clip that notes number and boxes of the frames it hands out, in the latest pass over all frames."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.frames: list[tuple[int, Boxes]] = []

    @property
    def size(self) -> tuple[int, int]:
        return self._clip.size

    @property
    def step(self) -> int:
        return self._clip.step

    def __len__(self) -> int:
        return len(self._clip)

    def __iter__(self) -> Iterator[ClipFrame]:
        self.frames = []
        for frame in self._clip:
            self.frames.append((frame.number, frame.boxes))
            yield frame

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return self._clip.sampled(every)


class _Asked:
    """What the network said; boxes of the sample are asked about once."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._known: dict[tuple[int, int], Image | None] = {}

    def pairs(
        self, frame: ClipFrame, mask: Image | None, rows: list[int] | None = None
    ) -> list[BoxPair | None]:
        """What is known of boxes of a frame.

        Args:
            frame: the frame.
            mask: the other labeler's, or None.
            rows: which boxes, to be remembered; None for all of them, and none is remembered any longer.
        """
        wanted = range(len(frame.boxes)) if rows is None else rows
        new = [row for row in wanted if (frame.number, row) not in self._known]
        answers = self._segmenter.probabilities(frame.image, frame.boxes[new])
        self._known |= {(frame.number, row): answer for row, answer in zip(new, answers, strict=True)}
        known = {row: self._known[frame.number, row] for row in wanted}
        if rows is None:
            for row in wanted:
                del self._known[frame.number, row]
        shape = (frame.image.shape[0], frame.image.shape[1])
        pixels = box_pixels(frame.boxes, shape)
        return [_pair(pixels[row], known[row], mask, shape) for row in wanted]


def _pair(
    pixels: tuple[slice, slice], probability: Image | None, mask: Image | None, shape: tuple[int, int]
) -> BoxPair | None:
    if probability is None:
        return None
    evidence = None if mask is None else mask[pixels] > 0
    return BoxPair(evidence, probability, open_sides(pixels, shape))


@dataclass(frozen=True)
class _Packed:
    """A frame's mask in some hundred bytes to some kilobytes; ``data`` is empty where there is none."""

    data: bytes
    shape: tuple[int, ...]

    @classmethod
    def of(cls, mask: Image | None) -> _Packed:
        return (
            cls(b"", ()) if mask is None else cls(zlib.compress(np.packbits(mask).tobytes(), 1), mask.shape)
        )

    def mask(self) -> Image | None:
        """uint8 (H, W), 0 or 1."""
        if not self.data:
            return None
        bits: npt.NDArray[Any] = np.frombuffer(zlib.decompress(self.data), np.uint8)
        return np.unpackbits(bits, count=int(np.prod(self.shape))).reshape(self.shape)

"""Labelers ``boxbg-teacher`` and ``egoflow-cut-teacher``: a box segmenter put together with another labeler.

The other labeler runs first over the whole video; what it finds is kept, packed. Then the network is asked
about boxes spread over the video, which tells what can be relied on there; then about all boxes, frame by
frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame, Evidence, EvidenceKind, Labeler, Settings
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut
from spotlabel.labelers.learned.agreement import best, open_sides
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.fusion import BoxPair, fused, judged
from spotlabel.labelers.learned.memory import NotedClip, PackedMask
from spotlabel.labelers.learned.segmenter import LIBRARIES, Boxes, Segmenter
from spotlabel.labelers.learned.settings import (
    FILES,
    BoxbgTeacherSettings,
    EgoflowCutTeacherSettings,
    FusedSettings,
)
from spotlabel.labelers.learned.teacher import NEUTRAL, painted
from spotlabel.labelers.masks import MASK_RULES_VERSION, PRESETS
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.frame import foreground_in_boxes

Bool = npt.NDArray[np.bool_]
_VERSION = 10_000 + 100 * MASK_RULES_VERSION
"""Of the fusion and of the rules that clean what it is given; the labeler's own is added, so that each makes
evidence stale."""
_RULES = PRESETS["default"]
_MOST_SAMPLED_FRAMES = 128


class Fused:
    """What both labelers have in common.

    Args:
        inner: the other labeler.
        settings: which network is asked, and how both are judged.
        files: the network.
        adds_only: whether all that the other labeler found stays, where it can be relied on.
    """

    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    files: ClassVar[Mapping[str, str]] = FILES

    def __init__(
        self, inner: Labeler, settings: FusedSettings, files: Mapping[str, bytes], *, adds_only: bool
    ) -> None:
        self._inner, self._judged, self._adds_only = inner, settings.judged, adds_only
        self._segmenter = Segmenter(files["network"], settings.device, settings.batch)

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the fused evidence of every frame, foreground above 127.

        A frame of which the other labeler does not know the scene has the network's probabilities; it is
        warm-up only where the network cannot be relied on either.
        """
        found = self._found(clip)
        asked = _Asked(self._segmenter)
        trust = judged(self._sample(clip, found, asked))
        for frame in clip:
            raw = None if (packed := found[frame.number]) is None else packed.mask()
            pairs = asked.pairs(frame, self._cleaned(raw, frame.boxes))
            values = [None if pair is None else fused(pair, trust) for pair in pairs]
            if raw is not None and self._adds_only and trust.evidence:
                values = _at_least(values, raw, frame.boxes)
            warm_up = raw is None and not trust.network
            yield Evidence(painted(frame.boxes, values, clip.size), warm_up=warm_up)

    def _found(self, clip: Clip) -> dict[int, PackedMask | None]:
        """What the other labeler finds, by frame number; None during its warm-up."""
        noted, found = NotedClip(clip), {}
        for index, evidence in enumerate(self._inner.label(noted)):
            mask = evidence.values.view(np.uint8) > self._inner.neutral
            found[noted.frames[index][0]] = None if evidence.warm_up else PackedMask.of(mask)
        return found

    def _cleaned(self, raw: Bool | None, boxes: Boxes) -> Bool | None:
        """The other labeler's mask as the default rules make it, all boxes kept."""
        if raw is None:
            return None
        rects = pixel_rects(boxes, (raw.shape[0], raw.shape[1]), _RULES)
        return foreground_in_boxes(raw.view(np.uint8), EvidenceKind.BINARY, rects, _RULES, 0) > 0

    def _sample(self, clip: Clip, found: Mapping[int, PackedMask | None], asked: _Asked) -> list[BoxPair]:
        """Boxes spread over the video."""
        every = max(1, math.ceil(len(clip) / min(self._judged, _MOST_SAMPLED_FRAMES)))
        a_frame = max(1, self._judged // max(1, math.ceil(len(clip) / every)))
        pairs: list[BoxPair] = []
        for frame in clip.sampled(every):
            rows = list(range(0, len(frame.boxes), math.ceil(len(frame.boxes) / a_frame) or 1))
            raw = None if (packed := found[frame.number]) is None else packed.mask()
            some = asked.pairs(frame, self._cleaned(raw, frame.boxes), rows)
            pairs += [pair for pair in some if pair is not None]
        return pairs


class BoxbgTeacher(Fused):
    """A box segmenter put together with ``boxbg``; for fixed cameras.

    Unless its settings say otherwise what ``boxbg`` finds stays where it can be relied on: on the fixed
    sequences with ground truth it knew better than the network what is background.
    """

    name: ClassVar[str] = "boxbg-teacher"
    version: ClassVar[int] = _VERSION + Boxbg.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*LIBRARIES, *Boxbg.libraries}))
    settings_type: ClassVar[type[Settings]] = BoxbgTeacherSettings

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = BoxbgTeacherSettings.model_validate(settings.model_dump())
        super().__init__(Boxbg(chosen.boxbg), chosen, files, adds_only=chosen.adds_only)

    @staticmethod
    def notice() -> str:
        """What a user is told who would wait without knowing for what."""
        return Boxbg.notice()


class EgoflowCutTeacher(Fused):
    """A box segmenter put together with ``egoflow-cut``; for moving cameras."""

    name: ClassVar[str] = "egoflow-cut-teacher"
    version: ClassVar[int] = _VERSION + EgoflowCut.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*LIBRARIES, *EgoflowCut.libraries}))
    settings_type: ClassVar[type[Settings]] = EgoflowCutTeacherSettings

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = EgoflowCutTeacherSettings.model_validate(settings.model_dump())
        super().__init__(EgoflowCut(chosen.egoflow_cut), chosen, files, adds_only=False)


class _Asked:
    """What the network said; boxes of the sample are asked about once."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._known: dict[tuple[int, int], list[Image]] = {}

    def pairs(
        self, frame: ClipFrame, mask: Bool | None, rows: list[int] | None = None
    ) -> list[BoxPair | None]:
        """What is known of boxes of a frame, None for a box without pixels.

        Args:
            frame: the frame.
            mask: the other labeler's, or None.
            rows: which boxes, to be remembered; None for all of them, and none is remembered any longer.
        """
        wanted = range(len(frame.boxes)) if rows is None else rows
        new = [row for row in wanted if (frame.number, row) not in self._known]
        answers = self._segmenter.readings(frame.image, frame.boxes[new])
        self._known |= {(frame.number, row): answer for row, answer in zip(new, answers, strict=True)}
        known = {row: self._known[frame.number, row] for row in wanted}
        if rows is None:
            for row in wanted:
                del self._known[frame.number, row]
        shape = (frame.image.shape[0], frame.image.shape[1])
        pixels = box_pixels(frame.boxes, shape)
        return [_pair(pixels[row], known[row], mask, shape) for row in wanted]


def _pair(
    pixels: tuple[slice, slice], readings: list[Image], mask: Bool | None, shape: tuple[int, int]
) -> BoxPair | None:
    if not readings:
        return None
    evidence, sides = None if mask is None else mask[pixels], open_sides(pixels, shape)
    return BoxPair(evidence, best(readings, evidence, sides), sides)


def _at_least(values: list[Image | None], raw: Bool, boxes: Boxes) -> list[Image | None]:
    """The values of boxes, with what the other labeler found as foreground."""
    pixels = box_pixels(boxes, (raw.shape[0], raw.shape[1]))
    return [
        None if value is None else np.maximum(value, raw[place].astype(np.uint8) * 255)
        for value, place in zip(values, pixels, strict=True)
    ]

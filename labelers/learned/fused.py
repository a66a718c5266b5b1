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

from spotlabel.labelers.base import Clip, Content, Evidence, EvidenceKind, FolderRules, Labeler, Settings
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut
from spotlabel.labelers.learned.checkpoint import FOLDERS
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.figures import PAIR_FIGURES, labeler_figures, pair_figures
from spotlabel.labelers.learned.fusion import FUSION_VERSION, BoxPair, Trust, decided_by, fused, judged
from spotlabel.labelers.learned.other import Asked, Found, cleaned
from spotlabel.labelers.learned.segmenter import LIBRARIES, Boxes, box_segmenter
from spotlabel.labelers.learned.settings import (
    FILES,
    BoxbgTeacherSettings,
    EgoflowCutTeacherSettings,
    FusedSettings,
)
from spotlabel.labelers.learned.teacher import NEUTRAL, painted
from spotlabel.labelers.masks.figures import DecidedBy

Bool = npt.NDArray[np.bool_]
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
    folders: ClassVar[FolderRules] = FOLDERS
    figures: ClassVar[Mapping[str, int]] = PAIR_FIGURES

    def __init__(
        self, inner: Labeler, settings: FusedSettings, files: Mapping[str, Content], *, adds_only: bool
    ) -> None:
        self._inner, self._judged, self._adds_only = inner, settings.judged, adds_only
        self._segmenter = box_segmenter(files["network"], settings.device, settings.batch)

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the fused evidence of every frame, foreground above 127.

        A frame of which the other labeler does not know the scene has the network's probabilities; it is
        warm-up only where the network cannot be relied on either.
        """
        found = Found(self._inner, clip)
        asked = Asked(self._segmenter, {})
        trust = judged(_sampled_pairs(clip, found, asked, self._judged))
        yield from put_together(clip, found, asked, trust, adds_only=self._adds_only)


def put_together(
    clip: Clip, found: Found, asked: Asked, trust: Trust, *, adds_only: bool, hidden: Bool | None = None
) -> Iterator[Evidence]:
    """Evidence of every frame of what both say of it, foreground above 127.

    Args:
        clip: the video.
        found: what the other labeler found in it.
        asked: the network.
        trust: what can be relied on in the video.
        adds_only: whether all that the other labeler found stays, where it can be relied on.
        hidden: pixels of which no object is ever seen, bool (H, W): there the network adds nothing, but to a
            box of which the other labeler says nothing: what is parked there hides others.
    """
    for frame in clip:
        raw = found.raw(frame.number)
        pairs = asked.last_pairs(frame, cleaned(raw, frame.boxes))
        values = [None if pair is None else fused(pair, trust) for pair in pairs]
        if raw is not None and hidden is not None:
            unseen = hidden & ~raw
            places = box_pixels(frame.boxes, clip.size)
            values = [*map(_seen, values, pairs, (unseen[place] for place in places))]
        if raw is not None and adds_only and trust.evidence:
            values = at_least(values, raw, frame.boxes)
        decided = [DecidedBy.LABELER if pair is None else decided_by(pair, trust) for pair in pairs]
        yield Evidence(
            painted(frame.boxes, values, clip.size),
            warm_up=raw is None and not trust.network,
            figures={
                **found.figures(frame.number),
                **pair_figures(pairs, decided, relied_on=trust.network),
            },
        )


def _sampled_pairs(clip: Clip, found: Found, asked: Asked, number: int) -> list[BoxPair]:
    """What both say of boxes spread over a video, about ``number`` of them."""
    every = max(1, math.ceil(len(clip) / min(number, _MOST_SAMPLED_FRAMES)))
    a_frame = max(1, number // max(1, math.ceil(len(clip) / every)))
    pairs: list[BoxPair] = []
    for frame in clip.sampled(every):
        rows = range(0, len(frame.boxes), math.ceil(len(frame.boxes) / a_frame) or 1)
        some = asked.pairs(frame, cleaned(found.raw(frame.number), frame.boxes), rows)
        pairs += [pair for pair in some if pair is not None]
    return pairs


class BoxbgTeacher(Fused):
    """A box segmenter put together with ``boxbg``; for fixed cameras.

    Unless its settings say otherwise what ``boxbg`` finds stays where it can be relied on: on the fixed
    sequences with ground truth it knew better than the network what is background.
    """

    name: ClassVar[str] = "boxbg-teacher"
    version: ClassVar[int] = FUSION_VERSION + Boxbg.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*LIBRARIES, *Boxbg.libraries}))
    settings_type: ClassVar[type[Settings]] = BoxbgTeacherSettings

    def __init__(self, settings: Settings, files: Mapping[str, Content]) -> None:
        chosen = BoxbgTeacherSettings.model_validate(settings.model_dump())
        super().__init__(Boxbg(chosen.boxbg), chosen, files, adds_only=chosen.adds_only)

    @staticmethod
    def notice() -> str:
        """What a user is told who would wait without knowing for what."""
        return Boxbg.notice()


class EgoflowCutTeacher(Fused):
    """A box segmenter put together with ``egoflow-cut``; for moving cameras."""

    name: ClassVar[str] = "egoflow-cut-teacher"
    version: ClassVar[int] = FUSION_VERSION + EgoflowCut.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*LIBRARIES, *EgoflowCut.libraries}))
    settings_type: ClassVar[type[Settings]] = EgoflowCutTeacherSettings
    figures: ClassVar[Mapping[str, int]] = {**PAIR_FIGURES, **EgoflowCut.figures}

    def __init__(self, settings: Settings, files: Mapping[str, Content]) -> None:
        chosen = EgoflowCutTeacherSettings.model_validate(settings.model_dump())
        super().__init__(EgoflowCut(chosen.egoflow_cut), chosen, files, adds_only=False)


def others_alone(clip: Clip, found: Found) -> Iterator[Evidence]:
    """The other labeler's evidence of every frame, where nobody was asked; foreground above 127."""
    for frame in clip:
        raw = found.raw(frame.number)
        figures = {**found.figures(frame.number), **labeler_figures(len(frame.boxes))}
        values = np.zeros(clip.size, np.uint8) if raw is None else raw * np.uint8(255)
        yield Evidence(values, warm_up=raw is None, figures=figures)


def _seen(value: Image | None, pair: BoxPair | None, hidden: Bool) -> Image | None:
    """The mask of one box without what stands in front of it."""
    if value is None or pair is None or pair.spoken is None:
        return value
    return np.where(hidden, np.uint8(0), value)


def at_least(values: list[Image | None], raw: Bool, boxes: Boxes) -> list[Image | None]:
    """The values of boxes, with what the other labeler found as foreground."""
    pixels = box_pixels(boxes, (raw.shape[0], raw.shape[1]))
    return [
        None if value is None else np.maximum(value, raw[place].astype(np.uint8) * 255)
        for value, place in zip(values, pixels, strict=True)
    ]

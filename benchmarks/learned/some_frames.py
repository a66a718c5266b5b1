"""Some frames of a sequence with truth, and the labelers on these alone: a network takes a second a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, cast

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, ClipFrame, Evidence, EvidenceKind, Labeler, Settings
from spotlabel.labelers.learned.fused import Fused
from spotlabel.labelers.learned.settings import FusedSettings, TeacherSettings
from spotlabel.labelers.learned.teacher import NEUTRAL, Teacher
from spotlabel.labelers.masks import PRESETS, draft_mask
from spotlabel.pipeline.datasets.cdnet_truth import EvaluatedFrame
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from spotlabel.pipeline.measures.quality import true_frames
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.store import EvidenceReader, FrameState
from spotlabel.pipeline.upkeep.plan import Item

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Figures:
    """How good masks are, all boxes kept: F-measure over all pixels, and mean IoU of frames with objects."""

    f_measure: float
    mean_iou: float


class SomeFrames:
    """A clip of the chosen frames of a sequence, with what they are judged by.

    Args:
        item: a sequence with ground truth whose evidence is made.
        every: take every so many of the frames with foreground, from the first.
        most: frames at most.
    """

    def __init__(self, item: Item, every: int, most: int) -> None:
        sequence, boxes = item.sequence, item.sequence.load().boxes
        judged = [frame for frame in true_frames(sequence) if frame.foreground.any()]
        step = every or max(1, len(judged) // most)
        self.truth: list[EvaluatedFrame] = judged[::step][:most]
        places = [frame.position for frame in self.truth]
        self._frames = [ClipFrame(p, sequence.frames.read(p), boxes.at(p)) for p in places]
        self.size, self.step = sequence.frames.size, 1
        self.boxes = sum(len(frame.boxes) for frame in self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[ClipFrame]:
        return iter(self._frames)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        """Every n-th of them."""
        return iter(self._frames[::every])

    def figures(self, evidence: list[Evidence], kind: EvidenceKind, neutral: int) -> Figures:
        """Compare the masks that evidence gives by the default rules, before any box is unknown."""
        counts = [
            count(_mask(one, frame, kind, neutral), truth.foreground, truth.valid)
            for one, frame, truth in zip(evidence, self._frames, self.truth, strict=True)
        ]
        ious = [one.iou for one in counts if one.tp + one.fn]
        return Figures(sum(counts, PixelCounts()).f_measure, fmean(ious))


def _mask(evidence: Evidence, frame: ClipFrame, kind: EvidenceKind, neutral: int) -> Mask:
    selected = np.ones(len(frame.boxes), np.bool_)
    rules = PRESETS["default"]
    return draft_mask(evidence.values, kind, frame.boxes, selected, rules, neutral=neutral).mask


class Replayed:
    """A labeler that gives the evidence it once gave, whichever frames it is asked about."""

    name: ClassVar[str] = "replayed"
    version: ClassVar[int] = 1
    uses_boxes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ()
    settings_type: ClassVar[type[Settings]] = Settings
    kind: EvidenceKind
    neutral: int

    def __init__(self, reader: EvidenceReader) -> None:
        self._reader, self.kind, self.neutral = reader, reader.kind, reader.neutral

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the stored evidence of each frame, by its number, which is its position."""
        for frame in clip:
            warm_up = int(self._reader.state[frame.number]) == FrameState.WARM_UP
            yield Evidence(self._reader.read(frame.number), warm_up)


def compared(item: Item, clip: SomeFrames, files: Mapping[str, bytes]) -> dict[str, Figures]:
    """Figures of a labeler, of the network alone, and of both put together.

    Args:
        item: a sequence whose evidence is made.
        clip: some of its frames.
        files: the network.
    """
    inner = Replayed(EvidenceReader(item.evidence_path))
    fixed = item.sequence.camera == Camera.FIXED
    fused = Fused(cast(Labeler, inner), FusedSettings(), files, adds_only=fixed)
    teacher = Teacher(TeacherSettings(), files)
    return {
        "labeler": clip.figures(list(inner.label(clip)), inner.kind, inner.neutral),
        "teacher": clip.figures(list(teacher.label(clip)), teacher.kind, NEUTRAL),
        "fused": clip.figures(list(fused.label(clip)), fused.kind, NEUTRAL),
    }

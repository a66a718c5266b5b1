"""What is changed about a student to see what it brings, and a student that is changed so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np

from benchmarks.learned.some_frames import Replayed
from spotlabel.labelers.base import Labeler, Lesson, Rows, Study
from spotlabel.labelers.learned.segmenter import Bool, Boxes, Image, Segmenter
from spotlabel.labelers.learned.settings import StudentSettings, TeachingSettings
from spotlabel.labelers.learned.student import BoxbgStudent, EgoflowCutStudent, Student


@dataclass(frozen=True)
class Variant:
    """One change.

    Attributes:
        title: its row.
        teaching: settings of the teaching that are others; numbers of boxes are shares of what is set.
        course: entries of :class:`spotlabel.detector.teaching.course.Course` that are others.
        target: what is taught whatever the video: the teacher's masks, or those that both give.
        aided: whether the student sees what the other labeler says.
        shared: one student for all videos, whose boxes are asked of all together (``whole``) or of
            each (``each``); empty for one a video.
    """

    title: str
    teaching: Mapping[str, Any] = field(default_factory=dict)
    course: Mapping[str, Any] = field(default_factory=dict)
    target: Literal["", "targets", "mixed"] = ""
    aided: bool = True
    shared: Literal["", "whole", "each"] = ""

    def taught(self, teaching: TeachingSettings, videos: int) -> TeachingSettings:
        """How a student is taught.

        Args:
            teaching: how without the change.
            videos: that it is taught on.
        """
        changes = dict(self.teaching)
        boxes = round(teaching.boxes * changes.pop("boxes", 1)) * (videos if self.shared == "each" else 1)
        return teaching.model_copy(update={**changes, "boxes": max(8, boxes)})

    def lesson(self, labeler: Student, studies: Sequence[Study], rows: Sequence[Rows], boxes: int) -> Lesson:
        """What a student learns."""
        lesson = labeler.lesson(studies, rows, boxes)
        arrays = dict(lesson.arrays)
        if self.target and len(arrays["targets"]):
            arrays["targets"] = np.concatenate([study[self.target] for study in studies])
        return replace(lesson, arrays=arrays, course={**lesson.course, **self.course})


VARIANTS = (
    Variant("as it is"),
    Variant("a third of the boxes", {"boxes": 1 / 3}),
    Variant("twice the boxes", {"boxes": 2}),
    Variant("no term for rows and columns not reached", course={"projection": 0.0}),
    Variant("no artificial borders", course={"cut_off": 0.0}),
    Variant("without the other labeler's evidence", course={"unaided": 1.0}, aided=False),
    Variant("64 px", {"size": 64}),
    Variant("80 px", {"size": 80}),
    Variant("96 px", {"size": 96}),
    Variant("taught the teacher's masks", target="targets"),
    Variant("taught the masks put together", target="mixed"),
    Variant("one student for all, the same boxes in all", shared="whole"),
    Variant("one student for all, as many boxes of each", shared="each"),
)


class _Unaided:
    """A segmenter that is not told what the other labeler says."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self.facts, self.metadata = segmenter.facts, segmenter.metadata

    def readings(self, image: Image, boxes: Boxes, evidence: Bool | None = None) -> list[list[Image]]:
        """As the segmenter's without evidence."""
        return self._segmenter.readings(image, boxes)


class _Fixed(BoxbgStudent):
    """The student beside ``boxbg``, whose evidence is read from a store."""

    def __init__(self, inner: Labeler, settings: StudentSettings, files: Mapping[str, bytes]) -> None:
        Student.__init__(self, inner, settings, files)


class _Moving(EgoflowCutStudent):
    """Likewise, beside ``egoflow-cut``; there is always one, however few the boxes are."""

    direct = False

    def __init__(self, inner: Labeler, settings: StudentSettings, files: Mapping[str, bytes]) -> None:
        Student.__init__(self, inner, settings, files)


def student(
    fixed: bool, inner: Replayed, teaching: TeachingSettings, files: Mapping[str, bytes]
) -> _Fixed | _Moving:
    """A student of one video beside stored evidence.

    Args:
        fixed: whether the camera is.
        inner: the other labeler.
        teaching: how it is taught.
        files: the teacher.
    """
    made = _Fixed if fixed else _Moving
    return made(cast(Labeler, inner), StudentSettings(teaching=teaching), files)


def taught(labeler: Student, network: bytes, aided: bool) -> None:
    """Give a labeler its student, which may not look at the other labeler's evidence."""
    labeler.learn(network, {})
    if not aided:
        vars(labeler)["_student"] = _Unaided(Segmenter(network))

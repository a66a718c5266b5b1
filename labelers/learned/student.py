"""Labelers ``boxbg-student`` and ``egoflow-cut-student``: a small network that a large one has taught.

The other labeler runs first over the whole video; then the teacher is asked about some boxes. What it says of
them, where it can be trusted, is the lesson. The student that has learnt it is asked about all boxes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Answers, Clip, Evidence, EvidenceKind, Labeler, Lesson, Settings
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.crops import Image
from spotlabel.labelers.learned.facts import FORMAT, Facts
from spotlabel.labelers.learned.figures import PAIR_FIGURES, labeler_figures, pair_figures
from spotlabel.labelers.learned.fused import at_least
from spotlabel.labelers.learned.fusion import (
    FUSION_VERSION,
    BoxPair,
    Trust,
    agreement,
    decided_by,
    fused,
    judged,
)
from spotlabel.labelers.learned.lesson import RELIABLE, Shown, nothing_shown, taught
from spotlabel.labelers.learned.other import Asked, Found, cleaned
from spotlabel.labelers.learned.sampling import spread
from spotlabel.labelers.learned.segmenter import LIBRARIES, Segmenter
from spotlabel.labelers.learned.settings import (
    FILES,
    BoxbgStudentSettings,
    EgoflowCutStudentSettings,
    StudentSettings,
)
from spotlabel.labelers.learned.teacher import NEUTRAL, painted
from spotlabel.labelers.masks.figures import DecidedBy

MARGIN = 0.3
"""Of the crops that a student is given."""
_VERSION = 1_000_000 + FUSION_VERSION
"""Of the lesson; the fusion's and the labeler's own are added."""
_LIBRARIES = (*LIBRARIES, "onnx", "torch")
Decided = tuple[Image | None, DecidedBy]
"""The mask of one box as evidence, uint8 (h, w); None for a box without pixels. And whose it is."""
WEIGHED = Trust(network=True, evidence=False)
"""How both are put together where the student does not know better."""
_FINER = 1.25
"""Crops of a lesson have so many times the pixels of a student's along each side: they show more around a
box, and are shown enlarged."""
_log = logging.getLogger("spotlabel")


class Student:
    """What both labelers have in common.

    Args:
        inner: the other labeler.
        settings: which network teaches, and how.
        files: the network.
    """

    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    files: ClassVar[Mapping[str, str]] = FILES
    figures: ClassVar[Mapping[str, int]] = PAIR_FIGURES
    taught: ClassVar[bool] = True
    exact: ClassVar[float]
    """With this median IoU with the teacher the other labeler knows better than any student."""

    def __init__(self, inner: Labeler, settings: StudentSettings, files: Mapping[str, bytes]) -> None:
        self._inner, self._settings = inner, settings
        self._teacher = files["network"]
        self._student: Segmenter | None = None
        self._found: Found | None = None

    def choose(
        self, frames: npt.NDArray[np.integer], xyxy: npt.NDArray[np.float32], tracks: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.intp]:
        """Rows of the boxes that the teacher is asked about; see :class:`TaughtLabeler`."""
        return spread(frames, xyxy, tracks, self._settings.teaching.boxes, self._settings.teaching.seed)

    def lesson(
        self,
        clip: Clip,
        rows: Mapping[int, list[int]],
        answers: Answers,
        progress: Callable[[int, int], None],
    ) -> Lesson:
        """What the teacher says of the chosen boxes; see :class:`TaughtLabeler`."""
        teaching = self._settings.teaching
        # Before the other labeler's hours: the file may be no segmenter.
        asked = Asked(Segmenter(self._teacher, self._settings.device, self._settings.batch), answers)
        found = self._other(clip)
        pairs = _pairs(clip, found, asked, rows, progress)
        known = [pair for some in pairs.values() for pair in some if pair is not None]
        trust, agreed = judged(known), agreement(known)
        judgement = {**vars(trust), "exact": trust.network and agreed >= self.exact}
        side = round(_FINER * teaching.size)
        parts = [nothing_shown(side)]
        for frame in clip if trust.network else ():
            if frame.number in rows:
                mask, boxes = cleaned(found.raw(frame.number), frame.boxes), frame.boxes[rows[frame.number]]
                parts.append(taught(frame.image, boxes, mask, pairs[frame.number], judgement["exact"], side))
        shown = Shown.joined(parts)
        course = teaching.model_dump(exclude={"boxes"})
        return Lesson(vars(shown), course, self._metadata(shown, judgement, agreed, rows))

    def _metadata(
        self, shown: Shown, judgement: Mapping[str, bool], agreed: float, rows: Mapping[int, list[int]]
    ) -> dict[str, str]:
        size = self._settings.teaching.size
        facts = Facts(
            size=size, margin=MARGIN, channels="RGB", scaling="255", mean=(0.5,) * 3, deviation=(0.25,) * 3,
            output="probability", evidence=True,
        )  # fmt: skip
        chosen = json.dumps(sorted((number, sorted(some)) for number, some in rows.items()))
        provenance = {
            "labeler": f"{type(self).__name__} {_VERSION}",
            "teacher": hashlib.sha256(self._teacher).hexdigest(),
            "teaching": self._settings.teaching.model_dump(mode="json"),
            "boxes": hashlib.sha256(chosen.encode()).hexdigest(),
            "asked": sum(map(len, rows.values())),
            "trusted": int(shown.whole.sum()),
            "agreement": agreed,
        }
        entries = {**facts.model_dump(mode="json"), "trust": judgement, "provenance": provenance}
        return {"format": FORMAT, **{key: json.dumps(value) for key, value in entries.items()}}

    def learn(self, network: bytes) -> None:
        """Take the student; see :class:`TaughtLabeler`. Says so if it will decide nothing."""
        self._student = Segmenter(network, self._settings.device, self._settings.batch)
        trust, asked = (json.loads(self._student.metadata[key]) for key in ("trust", "provenance"))
        if not trust["network"] and asked["asked"]:
            _log.warning(
                "the teacher's masks are whole in too few of %d boxes: nobody was taught, %s decides alone "
                "(docs/learned.md)", asked["asked"], self._inner.name,
            )  # fmt: skip

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the evidence of every frame, foreground above 127.

        Where the teacher could not be relied on it is the other labeler's; where that is exact all that
        it found stays. Elsewhere the student, who has seen that, decides in boxes that it fills in one piece;
        in others both are weighed.
        """
        if self._student is None:
            raise LabelerError("the student has not been taught")
        found, asked = self._other(clip), Asked(self._student, {})
        judgement = json.loads(self._student.metadata["trust"])
        for frame in clip:
            raw, figures = found.raw(frame.number), found.figures(frame.number)
            if judgement["network"]:
                pairs = asked.last_pairs(frame, cleaned(raw, frame.boxes))
                decide = _kept if judgement["exact"] else _decided
                values, decided = zip(*(decide(pair) for pair in pairs), strict=True) if pairs else ((), ())
                if judgement["exact"] and raw is not None:
                    values = at_least(values, raw, frame.boxes)
                figures = {**figures, **pair_figures(pairs, decided)}
                yield Evidence(painted(frame.boxes, values, clip.size), figures=figures)
                continue
            figures = {**figures, **labeler_figures(len(frame.boxes))}
            if raw is None:
                yield Evidence(np.zeros(clip.size, np.uint8), warm_up=True, figures=figures)
            else:
                yield Evidence(raw * np.uint8(255), figures=figures)

    def _other(self, clip: Clip) -> Found:
        """What the other labeler finds in the video; once."""
        if self._found is None:
            self._found = Found(self._inner, clip)
        return self._found


def _pairs(
    clip: Clip,
    found: Found,
    asked: Asked,
    rows: Mapping[int, list[int]],
    progress: Callable[[int, int], None],
) -> dict[int, list[BoxPair | None]]:
    """What teacher and the other labeler say of the chosen boxes, by frame."""
    done, total = 0, sum(map(len, rows.values()))
    pairs = {}
    for frame in clip:
        if some := rows.get(frame.number):
            mask = cleaned(found.raw(frame.number), frame.boxes)
            pairs[frame.number] = asked.pairs(frame, mask, some)
            progress(done := done + len(some), total)
    return pairs


def _kept(pair: BoxPair | None) -> Decided:
    """The mask of one box, where the other labeler is exact, and whose it is."""
    if pair is None:
        return None, DecidedBy.LABELER
    return fused(pair, RELIABLE), decided_by(pair, RELIABLE)


def _decided(pair: BoxPair | None) -> Decided:
    """The same, where the student knows better."""
    if pair is not None and pair.is_whole:
        return pair.probability, DecidedBy.NETWORK
    return (None, DecidedBy.LABELER) if pair is None else (fused(pair, WEIGHED), decided_by(pair, WEIGHED))


class BoxbgStudent(Student):
    """A student beside ``boxbg``; for fixed cameras."""

    name: ClassVar[str] = "boxbg-student"
    version: ClassVar[int] = _VERSION + Boxbg.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*_LIBRARIES, *Boxbg.libraries}))
    settings_type: ClassVar[type[Settings]] = BoxbgStudentSettings
    exact: ClassVar[float] = 0.85

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = BoxbgStudentSettings.model_validate(settings.model_dump())
        super().__init__(Boxbg(chosen.boxbg), chosen, files)

    @staticmethod
    def notice() -> str:
        """What a user is told who would wait without knowing for what."""
        return Boxbg.notice()


class EgoflowCutStudent(Student):
    """A student beside ``egoflow-cut``; for moving cameras."""

    name: ClassVar[str] = "egoflow-cut-student"
    version: ClassVar[int] = _VERSION + EgoflowCut.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*_LIBRARIES, *EgoflowCut.libraries}))
    settings_type: ClassVar[type[Settings]] = EgoflowCutStudentSettings
    figures: ClassVar[Mapping[str, int]] = {**PAIR_FIGURES, **EgoflowCut.figures}
    exact: ClassVar[float] = math.inf

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = EgoflowCutStudentSettings.model_validate(settings.model_dump())
        super().__init__(EgoflowCut(chosen.egoflow_cut), chosen, files)

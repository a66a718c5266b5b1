"""Labelers ``boxbg-student`` and ``egoflow-cut-student``: a small network that a large one has taught.

The other labeler runs first over the whole video; then the teacher is asked about some boxes. What it says of
them, where it can be trusted, is the lesson. The student that has learnt it is asked about all boxes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from statistics import median
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import (
    Answers,
    Clip,
    Content,
    Evidence,
    EvidenceKind,
    FolderRules,
    Labeler,
    Lesson,
    Rows,
    Settings,
    Study,
)
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.checkpoint import FOLDERS
from spotlabel.labelers.learned.facts import FORMAT, Facts
from spotlabel.labelers.learned.figures import PAIR_FIGURES
from spotlabel.labelers.learned.fused import others_alone, put_together
from spotlabel.labelers.learned.fusion import (
    FEWEST,
    FUSION_VERSION,
    BoxPair,
    Trust,
    agreements,
    spoken,
    trusted,
)
from spotlabel.labelers.learned.in_front import in_front
from spotlabel.labelers.learned.lesson import RELIABLE, Shown, nothing_shown, taught
from spotlabel.labelers.learned.other import Asked, Found, cleaned
from spotlabel.labelers.learned.sampling import spread
from spotlabel.labelers.learned.segmenter import LIBRARIES, Segmenter, box_segmenter, content_digest
from spotlabel.labelers.learned.settings import (
    FILES,
    BoxbgStudentSettings,
    EgoflowCutStudentSettings,
    StudentSettings,
)
from spotlabel.labelers.learned.teacher import NEUTRAL

MARGIN = 0.3
"""Of the crops that a student is given."""
_VERSION = 2_000_000 + FUSION_VERSION
"""Of the lesson; the fusion's and the labeler's own are added."""
_LIBRARIES = (*LIBRARIES, "onnx", "torch")
WEIGHED = Trust(network=True, evidence=False)
"""How both are put together where the other labeler is not exact."""
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

    name: ClassVar[str]
    version: ClassVar[int]
    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    files: ClassVar[Mapping[str, str]] = FILES
    folders: ClassVar[FolderRules] = FOLDERS
    figures: ClassVar[Mapping[str, int]] = PAIR_FIGURES
    taught: ClassVar[bool] = True
    exact: ClassVar[float]
    """With this median IoU with the teacher the other labeler knows better than any student."""
    fixed: ClassVar[bool]
    """Whether the camera stands still: what is in front of the traffic is so in all frames."""
    direct: ClassVar[bool]
    """Whether the teacher labels itself, and nobody is taught, where it was asked about every box."""

    def __init__(self, inner: Labeler, settings: StudentSettings, files: Mapping[str, Content]) -> None:
        self._inner, self._settings = inner, settings
        self._teacher = files["network"]
        self._student: Segmenter | None = None
        self._answers: Answers = {}
        self._found: Found | None = None

    def choose(
        self, frames: npt.NDArray[np.integer], xyxy: npt.NDArray[np.float32], tracks: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.intp]:
        """Rows of the boxes that the teacher is asked about; see :class:`TaughtLabeler`."""
        if self.direct and len(xyxy) <= self._settings.teaching.boxes:
            return np.arange(len(xyxy))
        return spread(frames, xyxy, tracks, self._settings.teaching.boxes, self._settings.teaching.seed)

    def study(
        self,
        clip: Clip,
        rows: Rows,
        answers: Answers,
        progress: Callable[[int, int], None],
    ) -> Study:
        """What the teacher says of the chosen boxes of a video; see :class:`TaughtLabeler`."""
        # Before the other labeler's hours: the file may be no segmenter.
        asked = Asked(box_segmenter(self._teacher, self._settings.device, self._settings.batch), answers)
        parts, known = [nothing_shown(self._side)], list[BoxPair]()
        done, total = 0, sum(map(len, rows.values()))
        for frame in clip if total else ():
            if some := rows.get(frame.number):
                mask = cleaned(self._other(clip).raw(frame.number), frame.boxes)
                pairs = asked.pairs(frame, mask, some)
                parts.append(taught(frame.image, frame.boxes[some], mask, pairs, self._side))
                known += [pair for pair in pairs if pair is not None]
                progress(done := done + len(some), total)
        agreed, said = np.array(agreements(known), np.float64), np.array(spoken(known))
        return {"agreements": agreed, "spoken": said, **vars(Shown.joined(parts))}

    def needs_training(self, chosen: int, boxes: int) -> bool:
        """Whether a student can add anything to what the teacher has said; see :class:`TaughtLabeler`."""
        return not (self.direct and chosen == boxes)

    def lesson(self, studies: Sequence[Study], rows: Sequence[Rows], boxes: int) -> Lesson:
        """The lesson that all videos give together; see :class:`TaughtLabeler`."""
        asked = sum(len(some) for one in rows for some in one.values())
        direct = not self.needs_training(asked, boxes)
        agreed = [value for study in studies for value in study["agreements"].tolist()]
        said = sum(int(study["spoken"]) for study in studies)
        trust = trusted(agreed, said)
        agreement = median(agreed or [0.0])
        judgement = {**vars(trust), "exact": trust.network and agreement >= self.exact, "direct": direct}
        names = [field.name for field in fields(Shown)]
        shows = studies if trust.network and not direct else ()
        parts = [Shown(**{name: study[name] for name in names}) for study in shows]
        shown = Shown.joined([nothing_shown(self._side), *parts])
        arrays = {name: values for name, values in vars(shown).items() if name != "mixed"}
        if judgement["exact"]:
            arrays["targets"] = shown.mixed
        course = self._settings.teaching.model_dump(exclude={"boxes"})
        return Lesson(arrays, course, self._metadata(shown, judgement, (agreement, said), rows))

    @property
    def _side(self) -> int:
        """Of the crops of a lesson, px."""
        return round(_FINER * self._settings.teaching.size)

    def _metadata(
        self, shown: Shown, judgement: Mapping[str, bool], agreed: tuple[float, int], rows: Sequence[Rows]
    ) -> dict[str, str]:
        size = self._settings.teaching.size
        facts = Facts(
            size=size, margin=MARGIN, channels="RGB", scaling="255", mean=(0.5,) * 3, deviation=(0.25,) * 3,
            output="probability", evidence=True,
        )  # fmt: skip
        chosen = "".join(
            json.dumps(sorted((number, sorted(some)) for number, some in one.items())) for one in rows
        )
        provenance = {
            "labeler": f"{self.name} {self.version}",
            "teacher": content_digest(self._teacher),
            "teaching": self._settings.teaching.model_dump(mode="json"),
            "boxes": hashlib.sha256(chosen.encode()).hexdigest(),
            "asked": sum(len(some) for one in rows for some in one.values()),
            "trusted": int(shown.whole.sum()),
            "agreement": agreed[0],
            "spoken": agreed[1],
        }
        entries = {**facts.model_dump(mode="json"), "trust": judgement, "provenance": provenance}
        return {"format": FORMAT, **{key: json.dumps(value) for key, value in entries.items()}}

    def learn(self, network: bytes, answers: Answers) -> None:
        """Take the student; see :class:`TaughtLabeler`. Says so if it will decide nothing."""
        with _of_the_student():
            self._student = Segmenter(network, self._settings.device, self._settings.batch)
        self._answers = answers
        trust, asked = (json.loads(self._student.metadata[key]) for key in ("trust", "provenance"))
        if not trust["network"] and asked["asked"]:
            inner = self._inner.name
            so = f"nobody was taught, {inner} decides alone"
            if trust.get("direct"):
                so = f"its masks add little to what {inner} finds"
            _log.warning("%s: %s (docs/learned.md)", _why_not(inner, asked), so)

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the evidence of every frame, foreground above 127.

        Where the teacher itself labels, its masks and the other labeler's are put together; where it could
        not be relied on the evidence is the other labeler's; elsewhere the student's masks, who has seen the
        other labeler's, and these are put together. Where the other labeler is exact all that it found stays.
        """
        if self._student is None:
            raise LabelerError("the student has not been taught")
        judgement, found = json.loads(self._student.metadata["trust"]), self._other(clip)
        if judgement.get("direct"):
            teacher = box_segmenter(self._teacher, self._settings.device, self._settings.batch)
            trust = Trust(judgement["network"], judgement["evidence"])
            yield from put_together(clip, found, Asked(teacher, self._answers), trust, adds_only=False)
        elif judgement["network"]:
            exact, asked = judgement["exact"], Asked(self._student, {})
            hidden = in_front(found.masks(), clip.size) if self.fixed else None
            trust = RELIABLE if exact else WEIGHED
            with _of_the_student():
                yield from put_together(clip, found, asked, trust, adds_only=exact, hidden=hidden)
        else:
            yield from others_alone(clip, found)

    def _other(self, clip: Clip) -> Found:
        """What the other labeler finds in the video; once."""
        if self._found is None:
            self._found = Found(self._inner, clip)
        return self._found


def _why_not(inner: str, made_of: Mapping[str, Any]) -> str:
    """Why a teacher cannot be relied on, as :func:`trusted` tells it."""
    asked = made_of["asked"]
    spoken = made_of.get("spoken", asked)  # students of before do not tell
    if spoken >= FEWEST:
        return f"the teacher's masks are whole in too few of {spoken} boxes"
    boxes = f"{asked} box{'es' * (asked != 1)}"
    return (
        f"{inner} sees something in {spoken} of {boxes} asked about, too few to tell whether the teacher "
        "can be relied on"
    )


@contextmanager
def _of_the_student() -> Iterator[None]:
    """What goes wrong inside is no fault of the setting ``network``, which is the teacher's."""
    try:
        yield
    except LabelerError as error:
        raise LabelerError(f"the student's {error}") from error


class BoxbgStudent(Student):
    """A student beside ``boxbg``; for fixed cameras."""

    name: ClassVar[str] = "boxbg-student"
    version: ClassVar[int] = _VERSION + Boxbg.version
    libraries: ClassVar[tuple[str, ...]] = tuple(sorted({*_LIBRARIES, *Boxbg.libraries}))
    settings_type: ClassVar[type[Settings]] = BoxbgStudentSettings
    exact: ClassVar[float] = 0.85
    fixed: ClassVar[bool] = True
    direct: ClassVar[bool] = False  # a student of one street's cars draws them better than its teacher

    def __init__(self, settings: Settings, files: Mapping[str, Content]) -> None:
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
    fixed: ClassVar[bool] = False
    direct: ClassVar[bool] = True

    def __init__(self, settings: Settings, files: Mapping[str, Content]) -> None:
        chosen = EgoflowCutStudentSettings.model_validate(settings.model_dump())
        super().__init__(EgoflowCut(chosen.egoflow_cut), chosen, files)

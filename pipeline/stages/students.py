"""Student stage: bring the network of a video up to date that its labeler needs, ask the teacher only once.

``<out>/students/<labeler>/<sequence>.onnx`` is the student, ``.json`` beside it tells what it was made of.
What the teacher said is kept in ``.answers``, the state of a training that goes on in ``.state``: a run
that was killed goes on from there, and other settings of the training ask the teacher nothing again.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spotlabel.labelers.base import Clip, Lesson, Rows, Study, TaughtLabeler
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.hashing import canonical_json, text_digest
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.names import student_path
from spotlabel.pipeline.progress import StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.answers import KeptAnswers
from spotlabel.pipeline.upkeep.freshness import FIGURES, SHARED, State, compare
from spotlabel.pipeline.upkeep.plan import Item

_TEACHING = "spotlabel.detector.teaching.school"
"""The only place that needs torch."""
_COMMON = ("labeler", "settings", "libraries", "evidence stage", "files", SHARED)
"""Parts of the evidence's fingerprint that videos have in common which share a student."""
_ASK, _TRAIN = "teacher", "teaching"


class StudentError(SpotlabelError):
    """A student cannot be taught."""


@dataclass(frozen=True)
class Student:
    """A student on disk.

    Attributes:
        path: its ONNX file.
        fingerprint: what it has to be made of.
    """

    path: Path
    fingerprint: Mapping[str, Any]

    @classmethod
    def of(cls, recipe: Recipe, item: Item) -> Student:
        """The student that the labeler of a video asks for, which may be one of several videos."""
        fingerprint = item.evidence_fingerprint(recipe)
        fingerprint.pop(FIGURES, None)  # said of boxes beside the evidence; nobody is taught them
        if item.group is not None:
            fingerprint = {part: fingerprint[part] for part in _COMMON if part in fingerprint}
        return cls(item.student_path, fingerprint)

    def whole(self) -> bytes | None:
        """Its ONNX file as it was made, of what it has to be made of; None if it has to be taught.

        What is compared with its digest is what is given: nobody can put another file there in between.
        """
        try:
            network, record = self.path.read_bytes(), json.loads(self._beside(".json").read_bytes())
            stored, digest = dict(record["fingerprint"]), record["digest"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        same = digest == _digest(network) and compare(stored, self.fingerprint).state == State.FRESH
        return network if same else None

    def keep(self, network: bytes) -> None:
        """Put it on disk. A kill in between leaves a network without its record, which is taught again."""
        record = {"fingerprint": self.fingerprint, "digest": _digest(network)}
        write_atomically(self.path, network)
        write_atomically(self._beside(".json"), (canonical_json(record) + "\n").encode())
        self.state.unlink(missing_ok=True)

    @property
    def state(self) -> Path:
        """Of a training that goes on."""
        return self._beside(".state")

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name.removesuffix(".onnx") + suffix)


def kept_answers(recipe: Recipe, item: Item) -> KeptAnswers:
    """What the teacher has said so far of boxes of a video, whoever asked."""
    alone = replace(item, group=None)
    fingerprint = alone.evidence_fingerprint(recipe)
    fingerprint.pop(FIGURES, None)  # the teacher is not asked about them either
    settings = {name: value for name, value in fingerprint["settings"].items() if name != "teaching"}
    path = student_path(item.out, item.labeler.name, item.sequence.name).with_suffix(".answers")
    return KeptAnswers(path, digest_of({**fingerprint, "settings": settings}))


def bring_student(
    recipe: Recipe, item: Item, annotations: Annotations, *, labeler: TaughtLabeler, clip: Clip,
    progress: StageProgress,
) -> tuple[bytes, bool]:  # fmt: skip
    """The student of a video, taught where there is none that fits.

    Args:
        recipe: the recipe.
        item: the video, whose labeler is to be taught; it shares its student with nobody.
        annotations: of it.
        labeler: its labeler.
        clip: its frames.
        progress: told of boxes asked about, and of steps of training.

    Returns:
        The ONNX file, and whether it was taught now.

    Raises:
        StudentError: torch or onnx is not installed.
        SpotlabelError: there is no such device to train on.
        ChangedInputError: an input file changed meanwhile.
        OSError: it cannot be written.
    """
    student = Student.of(recipe, item)
    if (network := student.whole()) is not None:
        return network, False
    check_school(student)
    (rows,) = chosen_rows(labeler, [(item, annotations)])
    study = studied(recipe, item, rows, labeler=labeler, clip=clip, progress=progress)
    lesson = labeler.lesson([study], [rows], len(annotations.boxes.xyxy))
    return trained(student, lesson, progress), True


def studied(
    recipe: Recipe, item: Item, rows: Rows, *, labeler: TaughtLabeler, clip: Clip, progress: StageProgress
) -> Study:
    """What a video adds to a lesson; the teacher is asked only what it was not asked before.

    Args:
        recipe: the recipe.
        item: the video.
        rows: the boxes that were chosen.
        labeler: its labeler.
        clip: its frames.
        progress: told of boxes asked about.
    """
    answers = kept_answers(recipe, item)

    def asked(done: int, total: int) -> None:
        answers.now_and_then()
        progress(_ASK, done, total)

    study = labeler.study(clip, rows, answers, asked)
    answers.save()
    return study


def trained(student: Student, lesson: Lesson, progress: StageProgress) -> bytes:
    """Train a student and keep it.

    Args:
        student: where, and what it is made of.
        lesson: what it is to learn.
        progress: told of steps of training.

    Returns:
        The ONNX file.
    """
    made_of = digest_of(student.fingerprint)
    network: bytes = _school().taught(
        lesson.arrays, lesson.course, {**lesson.metadata, "made of": json.dumps(made_of)},
        state=student.state, mark=made_of, progress=lambda done, total: progress(_TRAIN, done, total),
    )  # fmt: skip
    check_inputs()
    student.keep(network)
    return network


def chosen_rows(
    labeler: TaughtLabeler, videos: Iterable[tuple[Item, Annotations]]
) -> list[dict[int, list[int]]]:
    """The boxes that a lesson is about, of each video: they are chosen from all of them together."""
    listed = list(videos)
    tables = [annotations.boxes for _, annotations in listed]
    places = [np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets)) for boxes in tables]
    first = np.cumsum([0, *map(len, tables)])
    before = np.cumsum([0, *(int(boxes.track_id.max(initial=-1)) + 1 for boxes in tables)])
    ends = np.cumsum([0, *map(len, places)])
    chosen = labeler.choose(
        np.concatenate([place + start for place, start in zip(places, first[:-1], strict=True)]),
        np.concatenate([boxes.xyxy for boxes in tables]),
        np.concatenate(
            [
                np.where(boxes.track_id < 0, -1, boxes.track_id + start)
                for boxes, start in zip(tables, before[:-1], strict=True)
            ]
        ),
    )
    return [
        _by_frame(item, annotations, place, chosen[(chosen >= start) & (chosen < end)] - start)
        for (item, annotations), place, start, end in zip(listed, places, ends[:-1], ends[1:], strict=True)
    ]


def _by_frame(
    item: Item, annotations: Annotations, places: np.ndarray[Any, Any], chosen: np.ndarray[Any, Any]
) -> dict[int, list[int]]:
    """Boxes of one video, by the number of their frame."""
    numbers, offsets = item.sequence.frames.numbers, annotations.boxes.offsets
    rows: dict[int, list[int]] = {}
    for row in chosen:
        index = int(places[row])
        rows.setdefault(int(numbers[index]), []).append(int(row - offsets[index]))
    return rows


def check_school(student: Student) -> None:
    """See before anybody is asked that a student can be trained here.

    Raises:
        StudentError: torch or onnx is not installed.
        SpotlabelError: there is no such device.
    """
    _school().check_device(student.fingerprint["settings"]["teaching"]["device"])


def _school() -> Any:
    """The module that trains, which needs torch."""
    try:
        return importlib.import_module(_TEACHING)
    except ModuleNotFoundError as error:
        raise StudentError(
            f"a student is taught with {error.name}, which is not installed (pip install 'spotlabel[teach]')"
        ) from error


@contextmanager
def silently() -> Iterator[None]:
    """Inside, nobody is warned: what is odd about a video is told where that video is labelled."""
    logger = logging.getLogger("spotlabel")
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def digest_of(fingerprint: Mapping[str, Any]) -> str:
    """One digest of all parts of a fingerprint."""
    return text_digest(canonical_json(fingerprint))

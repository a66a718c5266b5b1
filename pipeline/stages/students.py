"""Student stage: bring the network of a video up to date that its labeler needs, ask the teacher only once.

``<out>/students/<labeler>/<sequence>.onnx`` is the student, ``.json`` beside it tells what it was made of.
What the teacher said is kept in ``.answers``, the state of a training that goes on in ``.state``: a run
that was killed goes on from there, and other settings of the training ask the teacher nothing again.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, TaughtLabeler
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.hashing import canonical_json, text_digest
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.names import student_path
from spotlabel.pipeline.progress import StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.upkeep.freshness import FIGURES, State, compare
from spotlabel.pipeline.upkeep.plan import Item

_TEACHING = "spotlabel.detector.teaching.school"
"""The only place that needs torch."""
_SECONDS_BETWEEN_SAVES = 20.0
_ASK, _TRAIN = "teacher", "teaching"
_DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading an archive raises that is none, or no longer."""


class StudentError(SpotlabelError):
    """A student cannot be taught."""


@dataclass(frozen=True)
class Student:
    """The student of a video on disk.

    Attributes:
        path: its ONNX file.
        fingerprint: what it has to be made of.
    """

    path: Path
    fingerprint: Mapping[str, Any]

    @classmethod
    def of(cls, recipe: Recipe, item: Item) -> Student:
        """The student that the labeler of a video asks for."""
        path = student_path(item.out, item.labeler.name, item.sequence.name)
        made_of = item.evidence_fingerprint(recipe)
        made_of.pop(FIGURES, None)  # said of boxes beside the evidence; nobody is taught them
        return cls(path, made_of)

    def whole(self) -> bytes | None:
        """Its ONNX file as it was made, of what it has to be made of; None if it has to be taught.

        What is compared with its digest is what is given: nobody can put another file there in between.
        """
        try:
            network, record = self.path.read_bytes(), json.loads(self._beside(".json").read_bytes())
            stored, digest = dict(record["fingerprint"]), record["digest"]
        except (OSError, ValueError, KeyError, TypeError):
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

    def answers(self) -> KeptAnswers:
        """What the teacher has said so far."""
        settings = {**self.fingerprint["settings"]}
        settings.pop("teaching")
        return KeptAnswers(self._beside(".answers"), _digest_of({**self.fingerprint, "settings": settings}))

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name.removesuffix(".onnx") + suffix)


class KeptAnswers(dict[tuple[int, int], list[npt.NDArray[np.uint8]]]):
    """What a teacher said, by frame number and row of the box; kept in a file.

    Args:
        path: of the file; one that is damaged or was made of something else counts as none.
        made_of: digest of what it depends on.
    """

    def __init__(self, path: Path, made_of: str) -> None:
        super().__init__()
        self.path, self._made_of, self._saved = path, made_of, time.monotonic()
        self._kept = 0
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                if str(file["made_of"]) != made_of:
                    return
                for name in file.files:
                    if name != "made_of":
                        number, row, _ = map(int, name.split())
                        self.setdefault((number, row), []).append(file[name])
        except _DAMAGE:
            self.clear()
        self._kept = len(self)

    def now_and_then(self) -> None:
        """Save them if the last time is some while ago."""
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write the file; the inputs must be what they were."""
        if len(self) > self._kept:
            check_inputs()
            arrays = {
                f"{number} {row} {index}": answer
                for (number, row), answers in self.items()
                for index, answer in enumerate(answers)
            }
            buffer = io.BytesIO()
            np.savez_compressed(buffer, made_of=np.array(self._made_of), **cast(dict[str, Any], arrays))
            write_atomically(self.path, buffer.getvalue())
        self._kept, self._saved = len(self), time.monotonic()


def bring_student(
    recipe: Recipe, item: Item, annotations: Annotations, *, labeler: TaughtLabeler, clip: Clip,
    progress: StageProgress,
) -> tuple[bytes, bool]:  # fmt: skip
    """The student of a video, taught where there is none that fits.

    Args:
        recipe: the recipe.
        item: the video, whose labeler is to be taught.
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
    school = _school()
    school.check_device(student.fingerprint["settings"]["teaching"]["device"])
    rows, answers = _rows(item, annotations, labeler), student.answers()

    def asked(done: int, total: int) -> None:
        answers.now_and_then()
        progress(_ASK, done, total)

    lesson = labeler.lesson(clip, rows, answers, asked)
    answers.save()
    made_of = _digest_of(student.fingerprint)
    network = school.taught(
        lesson.arrays, lesson.course, {**lesson.metadata, "made of": json.dumps(made_of)},
        state=student.state, mark=made_of, progress=lambda done, total: progress(_TRAIN, done, total),
    )  # fmt: skip
    check_inputs()
    student.keep(network)
    return network, True


def _rows(item: Item, annotations: Annotations, labeler: TaughtLabeler) -> dict[int, list[int]]:
    """The boxes that the lesson is about: of each frame, by its number, the rows of some of its boxes."""
    boxes, numbers = annotations.boxes, item.sequence.frames.numbers
    frames = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    rows: dict[int, list[int]] = {}
    for row in labeler.choose(frames, boxes.xyxy, boxes.track_id):
        index = int(frames[row])
        rows.setdefault(int(numbers[index]), []).append(int(row - boxes.offsets[index]))
    return rows


def _school() -> Any:
    """The module that trains, which needs torch."""
    try:
        return importlib.import_module(_TEACHING)
    except ModuleNotFoundError as error:
        raise StudentError(
            f"a student is taught with {error.name}, which is not installed (pip install 'spotlabel[teach]')"
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def _digest_of(fingerprint: Mapping[str, Any]) -> str:
    return text_digest(canonical_json(fingerprint))

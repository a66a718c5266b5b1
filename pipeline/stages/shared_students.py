"""The same for a student that several videos share: each adds its part to the lesson, in whatever process.

Whoever needs the student first sees what is missing and makes it, beginning with its own video; who comes
meanwhile takes over parts that nobody is at. What a video adds is kept in ``<out>/students/<labeler>/
<sequence>.study`` until the student stands. Locks on bytes of one file beside the student keep two from doing
the same; on a disk without locks work is done twice, and comes out the same.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import cast

from spotlabel.labelers.base import Clip, Rows, Study, TaughtLabeler, instance
from spotlabel.pipeline.errors import ChangedInputError, one_sentence
from spotlabel.pipeline.inputs import check_declared_inputs
from spotlabel.pipeline.names import student_path
from spotlabel.pipeline.progress import StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.answers import keep_arrays, kept_arrays
from spotlabel.pipeline.stages.clip import SequenceClip
from spotlabel.pipeline.stages.students import (
    Student,
    StudentError,
    check_school,
    chosen_rows,
    digest_of,
    silently,
    studied,
    trained,
)
from spotlabel.pipeline.upkeep.labeler_files import read_files
from spotlabel.pipeline.upkeep.plan import Item

_WAIT = "waiting"
_TAKEN = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def bring_shared_student(
    recipe: Recipe, item: Item, annotations: Annotations, *, labeler: TaughtLabeler, clip: Clip,
    progress: StageProgress,
) -> tuple[bytes, bool]:  # fmt: skip
    """The student that a video shares with others, taught where there is none that fits.

    Arguments, result and errors are those of
    :func:`spotlabel.pipeline.stages.students.bring_student`; the item has a group.

    Raises:
        StudentError: one of the other videos cannot be used; it is named.
    """
    student = Student.of(recipe, item)
    if (network := student.whole()) is not None:
        return network, False
    check_school(student)
    team = _Team(recipe, item, annotations, labeler=labeler, clip=clip, progress=progress)
    network = team.bring(student)
    assert item.group is not None
    item.group.save()
    return network, True


class _Team:
    """The videos that share a student, seen from the one that needs it now."""

    def __init__(
        self, recipe: Recipe, item: Item, annotations: Annotations, *, labeler: TaughtLabeler, clip: Clip,
        progress: StageProgress,
    ) -> None:  # fmt: skip
        assert item.group is not None
        self._recipe, self._progress = recipe, progress
        self._items = [item.alone(member) for member in item.group.members]
        self._own = [one.sequence.name for one in self._items].index(item.sequence.name)
        self._labeler, self._clip = labeler, clip
        self._annotations = [
            annotations if place == self._own else self._loaded(one) for place, one in enumerate(self._items)
        ]
        check_declared_inputs(file for one in self._items for file in one.declared_files())
        videos = zip(self._items, self._annotations, strict=True)
        self._rows: list[Rows] = [*chosen_rows(labeler, videos)]
        self._made_of = [
            digest_of({**one.evidence_fingerprint(recipe), "rows": sorted(rows.items())})
            for one, rows in zip(self._items, self._rows, strict=True)
        ]

    def bring(self, student: Student) -> bytes:
        """Teach the student, or see others do it."""
        lock = student.path.with_suffix(".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        places = range(len(self._items))
        order = [self._own, *(place for place in places if place != self._own)]
        with _opened(lock) as descriptor:
            for wait in (False, True):  # first what nobody is at
                for done, place in enumerate(order):
                    if wait:
                        self._progress(_WAIT, done, len(order))
                    with _held(descriptor, place, wait) as mine:
                        if mine and self._kept(place) is None and student.whole() is None:
                            self._study(place)
            with _held(descriptor, len(order), True):
                if (network := student.whole()) is not None:
                    return network
                studies = [self._kept(p) or self._study(p) for p in places]
                boxes = sum(len(one.boxes.xyxy) for one in self._annotations)
                lesson = self._labeler.lesson(studies, self._rows, boxes)
                network = trained(student, lesson, self._progress)
                for place in places:
                    self._path(place).unlink(missing_ok=True)
                return network

    def _study(self, place: int) -> Study:
        """Make and keep what one of the videos adds."""
        item = self._items[place]
        if place == self._own:
            labeler, clip = self._labeler, self._clip
        else:
            files = read_files(item.labeler, item.settings)
            labeler = cast(TaughtLabeler, instance(item.labeler, item.settings, files))
            clip = SequenceClip(item.sequence, self._recipe.frames, self._annotations[place])
        with self._named(item), nullcontext() if place == self._own else silently():
            study = studied(
                self._recipe, item, self._rows[place], labeler=labeler, clip=clip, progress=self._progress
            )
        keep_arrays(self._path(place), study, self._made_of[place])
        return study

    def _kept(self, place: int) -> Study | None:
        return kept_arrays(self._path(place), self._made_of[place])

    def _path(self, place: int) -> Path:
        item = self._items[place]
        return student_path(item.out, item.labeler.name, item.sequence.name).with_suffix(".study")

    def _loaded(self, item: Item) -> Annotations:
        with self._named(item), silently():
            return item.sequence.load()

    @contextmanager
    def _named(self, item: Item) -> Iterator[None]:
        """What goes wrong with another video says which one it is, and why that matters here."""
        try:
            yield
        except (ChangedInputError, MemoryError):
            raise
        except Exception as error:
            name = item.sequence.name
            if name == self._items[self._own].sequence.name:
                raise
            raise StudentError(
                f"shares its student with {name}, which cannot be used: {one_sentence(error)} "
                "(mend it, or set students.per=video)"
            ) from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _held(descriptor: int, place: int, wait: bool) -> Iterator[bool]:
    """Hold one byte of a file; whether it is held, which is always so after a wait or without locks."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
    except OSError as error:
        if error.errno in _TAKEN and not wait:
            yield False
            return
        if error.errno not in _NO_LOCKS:
            raise
        yield True
        return
    try:
        yield True
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)

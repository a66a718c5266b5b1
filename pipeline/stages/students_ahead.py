"""What a run is about to teach: how many boxes the teacher will be asked about, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from spotlabel.labelers.base import TaughtLabeler, file_settings, instance, is_taught
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.asking import Asking, asking
from spotlabel.pipeline.stages.students import Student, chosen_rows, kept_answers, silently
from spotlabel.pipeline.upkeep.plan import Item

SECONDS_A_MEGAPIXEL = 1.6
"""CPU seconds of training for a million pixels of crops: 131 s for 800 steps of 16 crops of 80 x 80 px."""


@dataclass(frozen=True)
class StudentAhead:
    """A student that is to be taught.

    Attributes:
        path: where it will stand.
        items: the videos that it is taught on, without a group.
        most: boxes of these that the teacher is asked about, at most.
        training: CPU seconds of the training, about, if there is one.
        asking: what the teacher takes.
    """

    path: Path
    items: tuple[Item, ...]
    most: int
    training: float
    asking: Asking

    @property
    def longest(self) -> float:
        """CPU seconds at most, about: as if all boxes were in frames of their own, and a student trained."""
        return self.asking.seconds(self.most, self.most) + self.training

    def asked(self, recipe: Recipe) -> tuple[int, int, float]:
        """How many boxes the lesson is about, about how many of these the teacher has already spoken, and
        CPU seconds that the others take, and the training where a student is trained.

        Raises:
            SpotlabelError, OSError: the annotations of a video cannot be read.
        """
        item = self.items[0]
        # What a labeler is made of does not decide which boxes it chooses.
        unread = dict.fromkeys(file_settings(item.labeler), b"")
        labeler = cast(TaughtLabeler, instance(item.labeler, item.settings, unread))
        with silently():
            videos = [(one, one.sequence.load()) for one in self.items]
            rows = chosen_rows(labeler, videos)
        open_boxes: list[int] = []  # of each frame
        for one, some in zip(self.items, rows, strict=True):
            answers = kept_answers(recipe, one)
            open_boxes += [sum((n, row) not in answers for row in listed) for n, listed in some.items()]
        chosen = sum(len(listed) for some in rows for listed in some.values())
        boxes = sum(len(annotations.boxes.xyxy) for _, annotations in videos)
        seconds = self.asking.seconds(sum(open_boxes), sum(map(bool, open_boxes)))
        training = self.training if chosen and labeler.needs_training(chosen, boxes) else 0.0
        return chosen, chosen - sum(open_boxes), seconds + training


def students_ahead(recipe: Recipe, chosen: Iterable[Item]) -> list[StudentAhead]:
    """The students that have to be taught before these videos can be labelled, each once.

    Args:
        recipe: the recipe.
        chosen: videos that can be used; one that turns out to be unusable is for whoever reads it to tell.
    """
    ahead: dict[Path, StudentAhead] = {}
    for item in chosen:
        if not is_taught(item.labeler) or item.student_path in ahead:
            continue
        if not _stands(recipe, item):
            items = [item] if item.group is None else [item.alone(one) for one in item.group.members]
            cost = teaching_cost(item.settings)
            ahead[item.student_path] = StudentAhead(
                item.student_path, tuple(items), *cost, asking(item.settings)
            )
    return list(ahead.values())


def _stands(recipe: Recipe, item: Item) -> bool:
    """Whether the student of a video is there and fits. Where none is, not a frame is read to tell."""
    if not item.student_path.exists():
        return False
    try:
        return Student.of(recipe, item).whole() is not None
    except (SpotlabelError, OSError):
        return False


def teaching_cost(settings: Any) -> tuple[int, float]:
    """Boxes that the teacher is asked about, at most, and CPU seconds of the training, about.

    Args:
        settings: of a labeler that is taught.
    """
    teaching = settings.teaching
    megapixels = teaching.steps * teaching.batch * teaching.size**2 / 1e6
    return teaching.boxes, SECONDS_A_MEGAPIXEL * megapixels

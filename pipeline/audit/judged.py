"""Made masks beside those of people: what the rules make of the boxes that were corrected."""

from __future__ import annotations

from dataclasses import dataclass

from spotlabel.labelers.masks.corrected import Decision
from spotlabel.pipeline.audit.made import MadeBox, made_boxes, rules_of
from spotlabel.pipeline.boxes import size_of
from spotlabel.pipeline.manual import Correction, Key, read_manual
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.corrected import fitted
from spotlabel.pipeline.upkeep.plan import Item


@dataclass(frozen=True)
class Judged:
    """A corrected box.

    Attributes:
        video: name of its video.
        key: of its correction.
        class_name: its class.
        size: ``small``, ``medium`` or ``large``.
        decision: of the person.
        iou: of the made mask with the person's, 0 to 1, over pixels that the made mask does not leave
            unknown; 1 if both are empty. NaN where the rules made no mask (unknown) or the person could not
            tell.
        believability: of the made mask, 0 to 1; NaN where nothing is said.
    """

    video: str
    key: Key
    class_name: str
    size: str
    decision: Decision
    iou: float
    believability: float

    @classmethod
    def of(cls, video: str, class_name: str, said: Correction, made: MadeBox) -> Judged:
        """What a person said of a box beside what the rules made of it."""
        return cls(
            video=video,
            key=said.key,
            class_name=class_name,
            size=size_of(said.box),
            decision=said.decision,
            iou=made.iou(said),
            believability=made.believability,
        )


def judged_boxes(recipe: Recipe, item: Item, progress: FrameProgress) -> list[Judged]:
    """Every corrected box of a video beside what the rules make of it; masks are made, and nothing is stored.

    Args:
        recipe: the recipe.
        item: one of its sequences, with evidence.
        progress: called after every frame.

    Raises:
        StoreError: the evidence is missing or not what the recipe asks for, or a store is damaged.
        DatasetError: the video cannot be used.
    """
    with rules_of(recipe, item) as source:
        applied = fitted(read_manual(item.manual_path), source).applied
        made = made_boxes(source, applied, progress)
        names, classes = source.annotations.class_names, source.annotations.boxes.class_id
    return [
        Judged.of(item.sequence.name, names[int(classes[row])], correction, made[row])
        for row, correction in sorted(applied.items())
    ]

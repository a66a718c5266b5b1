"""What one child process does for ``spotlabel teach``: the student of one video. Also callable in-process."""

from __future__ import annotations

import time

from spotlabel.labelers.base import is_taught
from spotlabel.pipeline.errors import RecipeError, SpotlabelError, one_sentence
from spotlabel.pipeline.inputs import watching_inputs
from spotlabel.pipeline.progress import StageProgress
from spotlabel.pipeline.recipes.presets import PRESETS
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.job import Outcome, check_declared, warnings_into
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.stages.evidence import teach
from spotlabel.pipeline.upkeep.plan import one_item

STAGE = "teaching"


def run_teaching(recipe: Recipe, name: str, progress: StageProgress) -> Outcome:
    """Bring the student of one video up to date; nothing half-made is left under a final name.

    Args:
        recipe: the recipe.
        name: one of its sequences.
        progress: called with boxes asked about and steps of training.

    Returns:
        The outcome; its ``evidence`` says whether the student was ``made`` or is ``fresh``.
    """
    outcome, started = Outcome(name, evidence="failed"), time.perf_counter()
    try:
        with watching_inputs() as inputs, warnings_into(outcome.remarks, outcome.findings):
            item = one_item(recipe, name)
            inputs.forget_reads()
            outcome.labeler = item.labeler.name
            if not is_taught(item.labeler):
                learned = PRESETS["learned"]
                taught = learned.fixed if item.sequence.camera == Camera.FIXED else learned.moving
                raise RecipeError(
                    f"{item.labeler.name} has no student to teach; set labeler={taught}, "
                    "or preset=learned where the recipe names no labeler"
                )
            annotations = item.sequence.load()
            check_declared(inputs, item)
            outcome.frames, outcome.boxes = len(annotations.boxes), len(annotations.boxes.xyxy)
            made = teach(recipe, item, annotations, progress)
            item.cache.save()
    except (SpotlabelError, OSError, MemoryError) as error:
        outcome.error = one_sentence(error)
        return outcome
    outcome.evidence = "made" if made else "fresh"
    outcome.seconds[STAGE] = time.perf_counter() - started
    return outcome

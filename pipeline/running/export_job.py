"""What one child process does for an export: one video. Also callable in-process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.stage import export_video
from spotlabel.pipeline.inputs import watching_inputs
from spotlabel.pipeline.progress import StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.upkeep.plan import one_item

STAGE = "export"


def run_export(recipe: Recipe, job: Mapping[str, Any], progress: StageProgress) -> Outcome:
    """What a child process does: the export of one video; nothing half-made is left under a final name."""
    outcome, started = Outcome(str(job["sequence"]), masks="failed"), time.perf_counter()
    try:
        with watching_inputs() as inputs:
            item = one_item(recipe, outcome.sequence)
            inputs.forget_reads()
            options, to = ExportOptions(**job["export"]), Path(job["to"])
            record = export_video(recipe, item, options, to, partial(progress, STAGE))
            item.cache.save()
    except (SpotlabelError, OSError, MemoryError) as error:
        outcome.error = one_sentence(error)
        return outcome
    outcome.masks, outcome.frames, outcome.boxes = "made", record.frames, record.objects
    outcome.remarks = list(record.remarks)
    outcome.seconds[STAGE] = time.perf_counter() - started
    return outcome

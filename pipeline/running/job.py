"""What one child process does: the stages of one video. Also callable in-process, for tests and notebooks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.errors import RecipeError
from pipeline.freshness import State
from pipeline.plan import evidence_need, items, mask_need
from pipeline.recipe import Recipe
from pipeline.stages.evidence import make_evidence
from pipeline.stages.masks import make_masks

Report = Callable[[str, int, int], None]
"""Called with the stage's name, frames done and frames in all."""


@dataclass
class Outcome:
    """What became of one video.

    Attributes:
        sequence: its name.
        labeler: who made the evidence.
        frames: number of frames.
        evidence: ``made``, ``fresh`` or ``failed``.
        masks: likewise.
        seconds: wall seconds per stage that ran.
        boxes: boxes in all.
        clipped: boxes cut at the image border.
        dropped: boxes with nothing left inside the image.
        bad_frames: one line per frame that could not be read.
        error: one line if the video failed; empty otherwise.
        log: file with what libraries printed; empty if they printed nothing.
    """

    sequence: str
    labeler: str = ""
    frames: int = 0
    evidence: str = "failed"
    masks: str = "failed"
    seconds: dict[str, float] = field(default_factory=dict)
    boxes: int = 0
    clipped: int = 0
    dropped: int = 0
    bad_frames: list[str] = field(default_factory=list)
    error: str = ""
    log: str = ""

    @property
    def failed(self) -> bool:
        """True if the video is not whole."""
        return bool(self.error)


def run_sequence(recipe: Recipe, name: str, masks_only: bool, report: Report) -> Outcome:
    """Bring evidence and masks of one sequence up to date.

    Annotations are read first: a broken annotation file shows before hours of evidence, not after.

    Args:
        recipe: the recipe.
        name: one of its sequences.
        masks_only: never run a labeler; evidence that does not fit is an error.
        report: progress.

    Raises:
        SpotlabelError: the video cannot be done; nothing half-made is left under a final name.
    """
    (item,) = items(recipe, [name])
    outcome = Outcome(name, item.labeler.name)
    annotations = item.sequence.load()
    outcome.boxes = len(annotations.boxes.xyxy)
    outcome.clipped, outcome.dropped = annotations.clipped, annotations.dropped
    outcome.frames = len(annotations.boxes)
    need = evidence_need(recipe, item, trust_frames=masks_only)
    if need.state == State.FRESH:
        outcome.evidence = "fresh"
    elif masks_only:
        raise RecipeError(f"evidence is {need}; run `spotlabel label` first")
    else:
        started = time.perf_counter()
        outcome.bad_frames = make_evidence(
            recipe, item, annotations.boxes, lambda done, total: report("evidence", done, total)
        )
        outcome.seconds["evidence"] = time.perf_counter() - started
        outcome.evidence = "made"
    if mask_need(recipe, item).state == State.FRESH:
        outcome.masks = "fresh"
    else:
        started = time.perf_counter()
        make_masks(recipe, item, annotations, lambda done, total: report("masks", done, total))
        outcome.seconds["masks"] = time.perf_counter() - started
        outcome.masks = "made"
    item.cache.save()
    return outcome

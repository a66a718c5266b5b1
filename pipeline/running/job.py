"""What one child process does: the stages of one video. Also callable in-process, for tests and notebooks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from spotlabel.pipeline.errors import DamagedStoreError, RecipeError, SpotlabelError, one_sentence
from spotlabel.pipeline.inputs import Inputs, watching_inputs
from spotlabel.pipeline.progress import StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.evidence import make_evidence
from spotlabel.pipeline.stages.masks import make_masks, tell_selection
from spotlabel.pipeline.stages.second_look import second_look
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, evidence_need, mask_need, one_item
from spotlabel.pipeline.upkeep.speeds import keep_speeds


@dataclass
class Outcome:
    """What became of one video.

    Attributes:
        sequence: its name.
        labeler: who made the evidence.
        frames: number of frames.
        evidence: ``made``, ``fresh``, ``failed``, or ``not made`` if it did not come to that.
        masks: likewise.
        seconds: wall seconds per stage that ran.
        boxes: boxes in all.
        clipped: boxes cut at the image border.
        dropped: boxes with nothing left inside the image.
        bad_frames: one line per frame that could not be read.
        remarks: what readers and labelers warned of.
        findings: why this outcome can hardly be meant; empty for most videos.
        error: one line if the video failed; empty otherwise.
        log: file with what libraries printed; empty if they printed nothing.
    """

    sequence: str
    labeler: str = ""
    frames: int = 0
    evidence: str = "not made"
    masks: str = "not made"
    seconds: dict[str, float] = field(default_factory=dict)
    boxes: int = 0
    clipped: int = 0
    dropped: int = 0
    bad_frames: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    error: str = ""
    log: str = ""

    def fail_if_doubtful(self) -> None:
        """What ``--strict`` asks for: an outcome that can hardly be meant is a failure. Its stores stay."""
        if self.findings and not self.error:
            more = f" (and {len(self.findings) - 1} more findings)" if len(self.findings) > 1 else ""
            self.error = f"can hardly be meant: {self.findings[0]}{more}"

    @property
    def failed(self) -> bool:
        """True if the video is not whole."""
        return bool(self.error)


def run_sequence(recipe: Recipe, name: str, masks_only: bool, progress: StageProgress) -> Outcome:
    """Bring evidence and masks of one sequence up to date; nothing half-made is left under a final name.

    Args:
        recipe: the recipe.
        name: one of its sequences.
        masks_only: never run a labeler; evidence that does not fit is an error.
        progress: called after every frame.

    Returns:
        The outcome, with ``error`` set if the video could not be done.
    """
    outcome = Outcome(name)
    try:
        try:
            _run_stages(recipe, outcome, masks_only, progress)
        except DamagedStoreError as damage:  # it had been taken for whole, as its size and times were
            outcome = Outcome(
                name, remarks=[*outcome.remarks, f"{one_sentence(damage)} (found and made again)"]
            )
            _run_stages(replace(recipe, verify="full"), outcome, masks_only, progress)
    except (SpotlabelError, OSError, MemoryError) as error:
        outcome.error = one_sentence(error)
    except UnicodeEncodeError as error:
        text = one_line(error.object)
        outcome.error = (
            f"the data holds a text that is not Unicode (half a surrogate pair): {text}; correct it"
        )
    return outcome


def _run_stages(recipe: Recipe, outcome: Outcome, masks_only: bool, progress: StageProgress) -> None:
    """Annotations come first: a broken file shows before hours of evidence, not after."""
    with watching_inputs() as inputs:
        _run_watched(recipe, outcome, masks_only, progress, inputs)


def _run_watched(
    recipe: Recipe, outcome: Outcome, masks_only: bool, progress: StageProgress, inputs: Inputs
) -> None:
    item = one_item(recipe, outcome.sequence)
    inputs.forget_reads()
    outcome.labeler = item.labeler.name
    with warnings_into(outcome.remarks, outcome.findings):  # the parent has told those of the listing
        annotations = item.sequence.load()
        tell_selection(annotations, recipe.masks)
    check_declared(inputs, item)
    outcome.frames, outcome.boxes = len(annotations.boxes), len(annotations.boxes.xyxy)
    outcome.clipped, outcome.dropped = annotations.clipped, annotations.dropped
    need = evidence_need(recipe, item, masks_only)
    if masks_only and need.state != State.FRESH:
        raise RecipeError(f"evidence is {need}; run `spotlabel label` first")
    if need.state == State.FRESH:
        outcome.evidence = "fresh"
    else:
        with _stage(outcome, "evidence"), warnings_into(outcome.remarks, outcome.findings):
            outcome.bad_frames = make_evidence(
                recipe, item, annotations, partial(progress, "evidence"), progress
            )
        item.cache.forget(item.evidence_path)
    if mask_need(recipe, item).state == State.FRESH:
        outcome.masks = "fresh"
    else:
        with _stage(outcome, "masks"), warnings_into(outcome.remarks, outcome.findings):
            make_masks(recipe, item, annotations, partial(progress, "masks"))
        item.cache.forget(item.mask_path)
    outcome.findings = second_look(recipe, item, outcome.findings)
    keep_speeds(item, outcome.frames, outcome.seconds)
    item.cache.save()


def check_declared(inputs: Inputs, item: Item) -> None:
    """See that of this video nothing was read so far but files whose content its results record.

    Raises:
        ChangedInputError: another one was read.
    """
    inputs.check_declared(item.declared_files())


@contextmanager
def _stage(outcome: Outcome, name: str) -> Iterator[None]:
    """Time a stage and note how it ended."""
    started = time.perf_counter()
    setattr(outcome, name, "failed")
    yield
    setattr(outcome, name, "made")
    outcome.seconds[name] = time.perf_counter() - started


@contextmanager
def warnings_into(remarks: list[str], findings: list[str]) -> Iterator[None]:
    """Collect what the project's logger warns of; apart, what says that the outcome can hardly be meant.

    Args:
        remarks: takes the warnings.
        findings: takes those that say so.
    """
    handler = _Collector(remarks, findings)
    logger = logging.getLogger("spotlabel")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, remarks: list[str], findings: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._remarks, self._findings = remarks, findings

    def emit(self, record: logging.LogRecord) -> None:
        doubtful = getattr(record, "implausible", False)
        (self._findings if doubtful else self._remarks).append(record.getMessage())

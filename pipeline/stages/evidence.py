"""Evidence stage: run a labeler over one video and store what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from spotlabel.labelers.base import Evidence, box_figures, instance, is_taught
from spotlabel.labelers.errors import LabelerError
from spotlabel.pipeline.errors import MissingFrameError, SpotlabelError
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.progress import FrameProgress, StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.clip import SequenceClip
from spotlabel.pipeline.stages.shared_students import bring_shared_student
from spotlabel.pipeline.stages.students import bring_student, kept_answers
from spotlabel.pipeline.store import EvidenceWriter, FrameState, StoreInfo
from spotlabel.pipeline.upkeep.labeler_files import labeler_files, read_files, recorded_settings
from spotlabel.pipeline.upkeep.plan import Item


class EvidenceError(SpotlabelError):
    """Evidence that could not be made: the labeler raised, or did not give one evidence per frame."""


def make_evidence(
    recipe: Recipe,
    item: Item,
    annotations: Annotations,
    progress: FrameProgress,
    of_stages: StageProgress = lambda stage, done, total: None,
) -> list[str]:
    """Run the labeler of an item and write its evidence store; if it has to be taught, that comes first.

    Args:
        recipe: how frames are read.
        item: sequence, labeler and place of the store.
        annotations: the sequence's; boxes and ignore regions are given to the labeler only if it declares
            that it uses boxes.
        progress: called after every frame.
        of_stages: called with the steps of what comes before.

    Returns:
        One line per unreadable frame.

    Raises:
        FrameError: a frame cannot be read and the policy is to fail.
        EvidenceError: the labeler failed.
        ChangedInputError: an input file changed meanwhile.
        StoreError: the store could not be written.
    """
    frames = item.sequence.frames
    info = StoreInfo(
        sequence=item.sequence.name,
        size=frames.size,
        numbers=frames.numbers,
        fingerprint=item.evidence_fingerprint(recipe),
        attributes={
            "labeler": item.labeler.name,
            "labeler_version": item.labeler.version,
            "settings": recorded_settings(item.labeler, item.settings),
        },
    )
    clip = SequenceClip(item.sequence, recipe.frames, annotations if item.labeler.uses_boxes else None)
    kind, neutral, figures = item.labeler.kind, item.labeler.neutral, box_figures(item.labeler)
    with EvidenceWriter.writing(item.evidence_path, info, kind, neutral, figures) as writer:
        for done, evidence in enumerate(_labelled(recipe, item, annotations, clip, of_stages)):
            if done >= len(clip.readable):
                raise EvidenceError(f"{item.labeler.name}: more evidence than frames")
            state = FrameState.WARM_UP if evidence.warm_up else FrameState.OK
            index = clip.readable[done]
            try:
                _check_boxes(evidence, len(annotations.boxes.at(index)))
                writer.put(index, evidence.values, state, evidence.figures)
            except ValueError as wrong:
                raise EvidenceError(f"{item.labeler.name}: frame {frames.numbers[index]}: {wrong}") from wrong
            progress(clip.readable[done] + 1, len(frames))
        made, expected = np.count_nonzero(writer.state), len(frames) - len(clip.unreadable)
        if made != expected:
            raise EvidenceError(f"{item.labeler.name}: evidence for {made} of {expected} frames")
        for index, error in clip.unreadable.items():
            missing = isinstance(error, MissingFrameError)
            writer.mark(index, FrameState.MISSING if missing else FrameState.UNREADABLE)
        check_inputs()
    return [f"frame {frames.numbers[index]}: {error}" for index, error in clip.unreadable.items()]


def _check_boxes(evidence: Evidence, boxes: int) -> None:
    for name, values in evidence.figures.items():
        if values.shape != (boxes,):
            raise ValueError(f"figure {name} of shape {values.shape}, the frame has {boxes} boxes")


def teach(recipe: Recipe, item: Item, annotations: Annotations, of_stages: StageProgress) -> bool:
    """Bring the student of an item up to date whose labeler has one; whether it was taught now.

    Raises:
        FrameError, EvidenceError, ChangedInputError: as :func:`make_evidence`.
        StudentError: torch is not installed.
    """
    with _named_errors(item):
        clip = SequenceClip(item.sequence, recipe.frames, annotations)
        labeler = _made(item)
        student, made = _brought(recipe, item, annotations, labeler=labeler, clip=clip, progress=of_stages)
        labeler.learn(student, {})  # which tells if it was of no use
        return made


def _made(item: Item) -> Any:
    return instance(item.labeler, item.settings, read_files(item.labeler, item.settings))


def _labelled(
    recipe: Recipe, item: Item, annotations: Annotations, clip: SequenceClip, of_stages: StageProgress
) -> Iterator[Evidence]:
    """Evidence of the clip's frames."""
    with _named_errors(item):
        labeler = _made(item)
        if is_taught(item.labeler):
            student, _ = _brought(recipe, item, annotations, labeler=labeler, clip=clip, progress=of_stages)
            labeler.learn(student, kept_answers(recipe, item))
        yield from labeler.label(clip)


def _brought(recipe: Recipe, item: Item, annotations: Annotations, **further: Any) -> tuple[bytes, bool]:
    """The student of a video, or that which it shares; see :func:`bring_student`."""
    bring = bring_student if item.group is None else bring_shared_student
    return bring(recipe, item, annotations, **further)


@contextmanager
def _named_errors(item: Item) -> Iterator[None]:
    """Whatever a labeler raises names it, and the file that it is about: a labeler knows none by its name."""
    name = item.labeler.name
    try:
        yield
    except SpotlabelError:
        raise
    except LabelerError as error:
        setting, _, problem = str(error).partition(": ")
        path = labeler_files(item.labeler, item.settings).get(setting)
        said = str(error) if path is None else f"{setting}: {path}: {problem}"
        raise EvidenceError(f"{name}: {said}") from error
    except Exception as error:
        raise EvidenceError(f"{name}: {type(error).__name__}: {error}") from error

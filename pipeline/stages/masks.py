"""Mask stage: evidence and boxes in, three-valued masks out. Reads no frame and runs no labeler."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import FrameMask, MaskSettings, draft_mask, finish_mask
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners import Claimed, FrameOwners, with_owners
from spotlabel.labelers.masks.owners.claims import claiming_boxes
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.errors import RecipeError, StoreError
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.manual import read_manual
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.corrected import CorrectedMasks, MaskSink, fitted, tell_left
from spotlabel.pipeline.stages.neighbours import Candidate, with_neighbours
from spotlabel.pipeline.store import EvidenceReader, FrameState, MaskWriter, StoreInfo
from spotlabel.pipeline.store.schema import STATES_WITH_PIXELS
from spotlabel.pipeline.upkeep.plan import Item
from spotlabel.pipeline.validation import nearest

logger = logging.getLogger("spotlabel")


def make_masks(recipe: Recipe, item: Item, annotations: Annotations, progress: FrameProgress) -> None:
    """Make and store the masks of one sequence.

    Args:
        recipe: the mask rules.
        item: sequence and places of its stores; the evidence must be there.
        annotations: boxes, ignore regions and class names of the sequence.
        progress: called after every frame.

    Raises:
        StoreError: the evidence is missing or damaged, does not fit the annotations, or the masks could
            not be written.
        ChangedInputError: an annotation file changed meanwhile.
        RecipeError: ``settings.classes`` names a class the sequence's dataset does not have.
    """
    evidence, settings = EvidenceReader(item.evidence_path), recipe.masks
    if len(evidence) != len(annotations.boxes):
        raise StoreError(
            f"{evidence.path}: holds {len(evidence)} frames, the annotations {len(annotations.boxes)}; "
            "run `spotlabel label` again"
        )
    corrections = read_manual(item.manual_path)
    info = _info(recipe, item, annotations, evidence, corrections.digest)
    selected = selected_boxes(annotations, settings)
    found = fitted(corrections, evidence.numbers, evidence.state, annotations, selected)
    tell_left(found)
    with MaskWriter.writing(item.mask_path, info, annotations.boxes) as writer:
        sink: MaskSink = writer
        if found.applied:
            sink = CorrectedMasks(writer, found.applied, annotations, selected, settings)
        draw_masks(sink, evidence, annotations, settings, progress)
        check_inputs()


def draw_masks(
    sink: MaskSink,
    evidence: EvidenceReader,
    annotations: Annotations,
    settings: MaskSettings,
    progress: FrameProgress,
) -> None:
    """Make the masks of a sequence and their owners, without any corrections.

    Args:
        sink: takes them: masks in the order of the frames; owners likewise, each after its mask.
        evidence: of the sequence.
        annotations: its boxes and ignore regions.
        settings: the rules.
        progress: called after every frame.

    Raises:
        StoreError: the evidence is damaged.
        RecipeError: as for :func:`selected_boxes`.
    """
    written = _written(sink, evidence, annotations, settings)
    decided = written if settings.owners.rule == "none" else with_owners(written, settings.owners)
    for index, owners in enumerate(decided):
        if isinstance(owners, FrameOwners):
            sink.put_owners(index, owners)
        progress(index + 1, len(evidence))


def _written(
    sink: MaskSink, evidence: EvidenceReader, annotations: Annotations, settings: MaskSettings
) -> Iterator[Claimed | None]:
    """Masks of every frame in order, each stored when it is asked for; None for frames without pixels."""
    selected = selected_boxes(annotations, settings)
    drafts = with_neighbours(_candidates(evidence, annotations, selected, settings))
    for index, draft in enumerate(drafts):
        state = _state(evidence, annotations, index)
        if draft is None:
            sink.mark(index, state)
            yield None
            continue
        candidate, temporal = draft
        regions, warm_up = annotations.regions.at(index), state == FrameState.WARM_UP
        made = finish_mask(candidate.draft, temporal, regions, settings, warm_up=warm_up)
        sink.put(index, made.mask, state, made.fill, made.believed, _columns(made))
        yield _claimed(candidate, made, annotations, index, settings)


def _claimed(
    candidate: Candidate, made: FrameMask, annotations: Annotations, index: int, settings: MaskSettings
) -> Claimed:
    """What there is to decide whose a frame's foreground is."""
    draft, flags = candidate.draft, annotations.boxes.flags[annotations.boxes.rows(index)]
    return Claimed(
        mask=made.mask,
        rects=draft.rects,
        claims=claiming_boxes(draft.selected, made.believed, draft.rects, settings),
        shapes=draft.shapes,
        tracks=candidate.tracks,
        occluded=(flags & BoxFlag.OCCLUDED) > 0,
        overlap=draft.cues.overlap,
        settled=candidate.settled,
    )


def _candidates(
    evidence: EvidenceReader,
    annotations: Annotations,
    selected: npt.NDArray[np.bool_],
    settings: MaskSettings,
) -> Iterator[Candidate | None]:
    """Foreground of every frame in order, made as it is asked for; None for frames without pixels."""
    boxes = annotations.boxes
    for index in range(len(evidence)):
        if _state(evidence, annotations, index) not in STATES_WITH_PIXELS:
            yield None
            continue
        rows = boxes.rows(index)
        draft = draft_mask(
            evidence.read(index),
            evidence.kind,
            boxes.at(index),
            selected[rows],
            settings,
            neutral=evidence.neutral,
            native_origin=annotations.native_origin,
        )
        yield Candidate(draft, boxes.track_id[rows], int(evidence.state[index]) != FrameState.WARM_UP)


def _state(evidence: EvidenceReader, annotations: Annotations, index: int) -> FrameState:
    """State of a frame's mask: that of its evidence, if there is any and somebody looked for objects."""
    state = FrameState(int(evidence.state[index]))
    if state in STATES_WITH_PIXELS and annotations.annotated is not None and not annotations.annotated[index]:
        return FrameState.UNANNOTATED
    return state


def _columns(made: FrameMask) -> dict[str, Column]:
    """The frame's rows of the quality table beside fill and believed."""
    return {
        "contact": made.cues.contact,
        "agreement": made.cues.agreement,
        "temporal": made.temporal,
        "overlap": made.cues.overlap,
        "own_fill": made.cues.own_fill,
        "size": made.cues.size,
        "believability": made.believability,
    }


def _info(
    recipe: Recipe, item: Item, annotations: Annotations, evidence: EvidenceReader, manual: str
) -> StoreInfo:
    """What a mask store says about itself: where its masks come from, down to the evidence's own inputs."""
    return StoreInfo(
        sequence=item.sequence.name,
        size=evidence.size,
        numbers=evidence.numbers,
        fingerprint=item.mask_fingerprint(recipe, evidence, manual),
        attributes={
            "labeler": evidence.text("labeler"),
            "labeler_version": int(evidence.number("labeler_version")),
            "labeler_settings": evidence.structure("settings"),
            "evidence_fingerprint": evidence.fingerprint,
            "settings": recipe.masks.model_dump(mode="json"),
            "class_names": list(annotations.class_names),
            "native_origin": annotations.native_origin,
            "boxes_derived": int(item.sequence.derived_boxes),
            "boxes_clipped": annotations.clipped,
            "boxes_dropped": annotations.dropped,
            "sequence_attributes": dict(item.sequence.attributes),
            "camera": str(item.sequence.camera),
        },
    )


def tell_selection(annotations: Annotations, settings: MaskSettings) -> None:
    """Warn if a video has boxes and ``settings.classes`` selects none of them: its masks are then unknown."""
    names, wanted = annotations.class_names, set(settings.classes or ())
    present = sorted({names[int(k)] for k in annotations.boxes.class_id})
    if settings.classes is not None and present and not wanted & {*present}:
        chosen = ", ".join(settings.classes)
        logger.warning(
            "masks.classes=[%s] selects none of the boxes, which are: %s", chosen, ", ".join(present)
        )


def selected_boxes(annotations: Annotations, settings: MaskSettings) -> npt.NDArray[np.bool_]:
    """Which boxes make foreground: bool (N,); all of them unless the recipe names classes.

    Raises:
        RecipeError: a named class does not occur in the dataset's class names.
    """
    if settings.classes is None:
        return np.ones(len(annotations.boxes.xyxy), np.bool_)
    for name in settings.classes:
        if name not in annotations.class_names:
            raise RecipeError(f"masks.classes: no class {name!r}; {nearest(name, annotations.class_names)}")
    wanted = [annotations.class_names.index(name) for name in settings.classes]
    return np.isin(annotations.boxes.class_id, wanted)

"""Mask stage: evidence and boxes in, three-valued masks out. Reads no frame and runs no labeler."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from spotlabel.labelers.masks import FrameMask, MaskSettings
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners import Claimed, FrameOwners, with_owners
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.manual import read_manual
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.corrected import CorrectedMasks, MaskSink, fitted, tell_left
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.store import EvidenceReader, MaskWriter, StoreInfo
from spotlabel.pipeline.upkeep.plan import Item

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
    source = MaskSource(evidence, annotations, settings)
    corrections = read_manual(item.manual_path)
    info = _info(recipe, item, annotations, evidence, corrections.digest)
    found = fitted(corrections, source)
    tell_left(found)
    with MaskWriter.writing(item.mask_path, info, annotations.boxes) as writer:
        draw_masks(
            CorrectedMasks(writer, found.applied, source) if found.applied else writer, source, progress
        )
        check_inputs()


def draw_masks(sink: MaskSink, source: MaskSource, progress: FrameProgress) -> None:
    """Make the masks of a sequence and their owners by the rules alone.

    Args:
        sink: takes them: masks in the order of the frames; owners likewise, each after its mask.
        source: of the sequence.
        progress: called after every frame.

    Raises:
        StoreError: the evidence is damaged.
    """
    owners_by = source.settings.owners
    written = _written(sink, source)
    decided = written if owners_by.rule == "none" else with_owners(written, owners_by)
    for index, owners in enumerate(decided):
        if isinstance(owners, FrameOwners):
            sink.put_owners(index, owners)
        progress(index + 1, len(source))


def _written(sink: MaskSink, source: MaskSource) -> Iterator[Claimed | None]:
    """Masks of every frame in order, each handed on when it is asked for; None for frames without pixels."""
    for index, made in enumerate(source.masks()):
        state = source.state(index)
        if made is None:
            sink.mark(index, state)
            yield None
            continue
        mask = made.mask
        sink.put(index, mask.mask, state, mask.fill, mask.believed, quality_columns(mask))
        yield made.claimed


def quality_columns(made: FrameMask) -> dict[str, Column]:
    """The frame's rows of the quality table beside fill and believed."""
    return {
        "contact": made.cues.contact,
        "agreement": made.cues.agreement,
        "temporal": made.temporal,
        "overlap": made.cues.overlap,
        "own_fill": made.cues.own_fill,
        "size": made.cues.size,
        "believability": made.believability,
        **made.figures,
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

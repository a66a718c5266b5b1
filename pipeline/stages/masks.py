"""Mask stage: evidence and boxes in, three-valued masks out. Reads no frame and runs no labeler."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from labelers.masks import MaskSettings, make_mask
from pipeline.errors import RecipeError, StoreError
from pipeline.plan import Item
from pipeline.recipe import Recipe
from pipeline.sequence import Annotations
from pipeline.store import EvidenceReader, FrameState, MaskWriter, StoreInfo
from pipeline.validation import nearest

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""


def make_masks(recipe: Recipe, item: Item, annotations: Annotations, progress: Progress) -> None:
    """Make and store the masks of one sequence.

    Args:
        recipe: the mask rules.
        item: sequence and places of its stores; the evidence must be there.
        annotations: boxes, ignore regions and class names of the sequence.
        progress: called after every frame.

    Raises:
        StoreError: the evidence is missing or damaged, does not fit the annotations, or the masks could
            not be written.
        RecipeError: ``settings.classes`` names a class the sequence's dataset does not have.
    """
    evidence, settings = EvidenceReader(item.evidence_path), recipe.masks
    if len(evidence) != len(annotations.boxes):
        raise StoreError(
            f"{evidence.path}: holds {len(evidence)} frames, the annotations {len(annotations.boxes)}; "
            "run `spotlabel label` again"
        )
    selected = selected_boxes(annotations, settings)
    boxes = annotations.boxes
    with MaskWriter.writing(item.mask_path, _info(recipe, item, annotations, evidence), boxes) as writer:
        for index in range(len(evidence)):
            state = FrameState(int(evidence.state[index]))
            if not evidence.has_pixels(index):
                writer.mark(index, state)
            else:
                made = make_mask(
                    evidence.read(index),
                    evidence.kind,
                    boxes.at(index),
                    selected[boxes.rows(index)],
                    annotations.regions.at(index),
                    settings,
                    neutral=evidence.neutral,
                    warm_up=state == FrameState.WARM_UP,
                    native_origin=annotations.native_origin,
                )
                writer.put(index, made.mask, state, made.fill, made.believed)
            progress(index + 1, len(evidence))


def _info(recipe: Recipe, item: Item, annotations: Annotations, evidence: EvidenceReader) -> StoreInfo:
    """What a mask store says about itself: where its masks come from, down to the evidence's own inputs."""
    return StoreInfo(
        sequence=item.sequence.name,
        size=evidence.size,
        numbers=evidence.numbers,
        fingerprint=item.mask_fingerprint(recipe, evidence),
        attributes={
            "labeler": evidence.text("labeler"),
            "labeler_version": int(evidence.file.attrs["labeler_version"]),
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

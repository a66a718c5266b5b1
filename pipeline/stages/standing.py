"""How corrections stand to a video as it is now, without making anything."""

from __future__ import annotations

import numpy as np

from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Fitted, fit, read_manual
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.frame_masks import selected_boxes
from spotlabel.pipeline.store import EvidenceReader
from spotlabel.pipeline.store.schema import STATES_WITH_PIXELS
from spotlabel.pipeline.upkeep.plan import Item


def standing(recipe: Recipe, item: Item) -> Fitted:
    """Which corrections of a video apply to its boxes of now.

    Frames without pixels are known from the evidence; where that is gone they pass for readable.

    Args:
        recipe: the recipe.
        item: one of its sequences.

    Raises:
        StoreError: the corrections are damaged.
        DatasetError: the video cannot be used.
        RecipeError: ``masks.classes`` names a class the dataset does not have.
    """
    corrections = read_manual(item.manual_path)
    if not corrections:
        return Fitted({}, [])
    annotations, numbers = item.sequence.load(), item.sequence.frames.numbers
    usable = (
        np.ones(len(numbers), np.bool_) if annotations.annotated is None else annotations.annotated.copy()
    )
    try:
        state = EvidenceReader(item.evidence_path).state
        if len(state) == len(usable):
            usable &= np.isin(state, STATES_WITH_PIXELS)
    except StoreError:  # gone or damaged, as `status` tells
        pass
    return fit(corrections, numbers, annotations.boxes, usable, selected_boxes(annotations, recipe.masks))

"""Where labelers do not say the same of a box: in some frames of videos with evidence by several."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.temporal import shape_iou
from spotlabel.pipeline.pages.serving.videos import OpenVideo, evidence_files
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.upkeep.plan import Item

MOST_FRAMES, OF_A_VIDEO = 400, 24
"""Frames looked at in all, and of one video at most, spread evenly: each costs a mask per labeler."""


def disagreement(recipe: Recipe, item: Item, frames: int) -> npt.NDArray[np.float64] | None:
    """How little the labelers of a video agree about each box.

    Args:
        recipe: labelers and mask rules.
        item: the video.
        frames: how many of its frames to look at.

    Returns:
        float64 (N,), 1 minus the least IoU of the recipe's labeler with another one, on the box's grid of
        cells; NaN for boxes that were not looked at, or of which either says nothing. None if there is no
        evidence by another labeler.

    Raises:
        SpotlabelError: the video cannot be used.
    """
    if len(evidence_files(item)) < 2:
        return None
    video = OpenVideo(recipe, item)
    own = video.evidence.pop(item.labeler.name, None)
    if own is None or not video.evidence:
        return None
    boxes, rules = video.annotations.boxes, recipe.masks
    apart = np.full(len(boxes.xyxy), np.nan)
    sources = [MaskSource(reader, video.annotations, rules) for reader in (own, *video.evidence.values())]
    for index in np.unique(
        np.linspace(0, len(boxes) - 1, frames + 2).round().astype(np.int64)[1:-1]
    ).tolist():
        first, *others = (source.one(index) for source in sources)
        if first is None:
            continue
        for other in others:
            if other is not None:
                one, two = first.claimed.shapes, other.claimed.shapes
                said = one.any(axis=(1, 2)) & two.any(axis=(1, 2))
                here = np.where(said, 1 - shape_iou(one, two).astype(np.float64), np.nan)
                apart[boxes.rows(index)] = np.fmax(apart[boxes.rows(index)], here)
    video.close()
    own.close()
    return apart

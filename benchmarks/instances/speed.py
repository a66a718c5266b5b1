"""The mask stage with and without owners, in turn."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.upkeep.plan import one_item

ROUNDS = 5


def compare_speed(recipe: Recipe, name: str) -> str:
    """Time the mask stage of a labelled video, the best of some rounds of either kind.

    Args:
        recipe: its evidence must be there; its masks are made again.
        name: of the sequence.

    Returns:
        One line.
    """
    item = one_item(recipe, name)
    if not item.evidence_path.exists():
        raise SpotlabelError(f"{item.evidence_path}: no evidence yet; run `spotlabel label` first")
    annotations = item.sequence.load()
    best: dict[str, float] = {}
    size: dict[str, int] = {}
    for _ in range(ROUNDS):
        for rule in ("none", "tracks"):
            owners = recipe.masks.owners.model_copy(update={"rule": rule})
            chosen = dataclasses.replace(recipe, masks=recipe.masks.model_copy(update={"owners": owners}))
            start = time.process_time()
            make_masks(chosen, item, annotations, lambda done, total: None)
            best[rule] = min(best.get(rule, float("inf")), time.process_time() - start)
            size[rule] = Path(item.mask_path).stat().st_size
    frames = len(annotations.boxes)
    return (
        f"{name}, {frames} frames: without owners {best['none'] / frames * 1e3:.2f} ms a frame, with "
        f"{best['tracks'] / frames * 1e3:.2f} (CPU time): {best['none'] / best['tracks']:.0%} as fast; "
        f"store {size['tracks'] / size['none']:.2f} times the bytes"
    )

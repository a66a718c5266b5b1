"""After the masks: can the outcome be meant? Looks at a video's stores, and at few of their frames."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from spotlabel.labelers.baselines.filled_box import FilledBox
from spotlabel.labelers.masks.cleaning import threshold_level
from spotlabel.pipeline.hashing import canonical_json
from spotlabel.pipeline.measures.fit import Fit
from spotlabel.pipeline.measures.movers import Movers, chosen_frames, movers
from spotlabel.pipeline.measures.plausibility import Result, findings
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.store import EvidenceReader, FrameState, MaskReader
from spotlabel.pipeline.store.schema import UNKNOWN_PLANE
from spotlabel.pipeline.store.seal import sealed_digest
from spotlabel.pipeline.upkeep.plan import Item

VERSION = 2
"""Rises when other lines would be said of the same stores."""


def second_look(recipe: Recipe, item: Item, told: Iterable[str] = ()) -> list[str]:
    """What cannot be meant about a video whose evidence and masks are up to date; remembered by content.

    Args:
        recipe: the recipe.
        item: one of its sequences.
        told: what reading the annotations has found, to be remembered with the rest.

    Returns:
        One line for each finding; empty for most videos.

    Raises:
        StoreError: a store is damaged.
    """
    told = list(told)
    content = sealed_digest(item.mask_path, item.cache)
    asked = f"second look {VERSION}, annotated {recipe.options.annotated}"
    found = item.cache.derived(content, asked, lambda: canonical_json([*told, *_findings(recipe, item)]))
    lines = [str(line) for line in json.loads(found)]
    return [*(line for line in told if line not in lines), *lines]


def _findings(recipe: Recipe, item: Item) -> list[str]:
    masks, evidence = MaskReader(item.mask_path, sealed=True), EvidenceReader(item.evidence_path, sealed=True)
    try:
        return findings(_result(recipe, item, masks, evidence))
    finally:
        masks.close()
        evidence.close()


def _result(recipe: Recipe, item: Item, masks: MaskReader, evidence: EvidenceReader) -> Result:
    boxes, quality, classes = masks.boxes, masks.quality, recipe.masks.classes
    selected = np.ones(len(boxes.xyxy), np.bool_)
    if classes is not None:
        wanted = [index for index, name in enumerate(masks.class_names) if name in classes]
        selected = np.isin(boxes.class_id, wanted)
    ok = masks.state == FrameState.OK
    return Result(
        boxes=boxes,
        ok=ok,
        warm_up=(masks.state == FrameState.WARM_UP) & (recipe.masks.warm_up == "unknown"),
        ask=_open_question(recipe, item, masks),
        selected=selected,
        fill=quality["fill"],
        believed=quality["believed"],
        dropped=_dropped(recipe, item, masks),
        has_unknown=not len(boxes.xyxy) and _has_unknown(masks, ok),
        fit=_fit(recipe, masks, evidence),
        size=masks.size,
        # filled-box calls every pixel foreground, whatever the camera does
        fixed=item.sequence.camera == Camera.FIXED and item.labeler is not FilledBox,
        first_frame=_first_frame(recipe, masks),
    )


def _dropped(recipe: Recipe, item: Item, masks: MaskReader) -> int:
    """Boxes left out though nobody asked for it: of files, without ``dataset.beyond=drop``."""
    asked = recipe.options.beyond == "drop" or not item.sequence.annotation_files
    return 0 if asked else int(masks.number("boxes_dropped"))


def _open_question(recipe: Recipe, item: Item, masks: MaskReader) -> bool:
    """Whether frames without boxes count as annotated though nobody said so."""
    said = recipe.options.annotated is not None or (masks.state == FrameState.UNANNOTATED).any()
    return not said and not item.sequence.derived_boxes


def _first_frame(recipe: Recipe, masks: MaskReader) -> int | None:
    """What boxes call the first image; None where no option says so."""
    if not hasattr(recipe.options, "first_frame") or not len(masks):
        return None
    given = recipe.options.first_frame
    return int(masks.numbers[0]) if given is None else int(given)


def _has_unknown(masks: MaskReader, ok: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bool:
    some = chosen_frames(ok.astype(np.int64), ok)
    return any(masks.packed(UNKNOWN_PLANE, index).any() for index in some.tolist())


def _fit(recipe: Recipe, masks: MaskReader, evidence: EvidenceReader) -> Fit:
    """How evidence lies to boxes in some frames, best those with boxes that move."""
    moving = movers(masks.boxes, masks.size)
    ok = masks.state == FrameState.OK
    weight = np.bincount(moving.frame, minlength=len(ok))
    if not weight[ok].any():
        weight = np.diff(masks.boxes.offsets)
    level = threshold_level(evidence.kind, recipe.masks, evidence.neutral)
    fit = Fit()
    for index in chosen_frames(weight, ok).tolist():
        here = moving.frame == index
        part = Movers(moving.frame[here], moving.before[here], moving.here[here], moving.after[here])
        foreground = (evidence.read(index).view(np.uint8) > level).astype(np.uint8)
        fit.look(foreground, masks.boxes.at(index), part)
    return fit

"""What a mask store was made from, and whether a recipe would make it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.pipeline.errors import RecipeError, SpotlabelError, StoreError
from spotlabel.pipeline.names import evidence_path, manual_path
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.upkeep.freshness import Need, compare
from spotlabel.pipeline.upkeep.plan import Item, items, one_item, plan_item
from spotlabel.pipeline.validation import nearest


@dataclass(frozen=True)
class Part:
    """One part of a fingerprint: when it changes, the store is stale.

    Attributes:
        stage: ``evidence`` or ``masks``.
        name: of the part.
        recorded: its value when the store was made; None if it played no part then.
        change: how it differs from what the recipe asks for; empty if it does not, or no recipe was given.
    """

    stage: str
    name: str
    recorded: Any
    change: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a mask store comes from.

    Attributes:
        parts: everything its content depends on; those of the evidence first.
        evidence: what became of the evidence store beside it, in a few words.
        verdict: how evidence and masks stand to the recipe, as ``spotlabel status`` says it; None without a
            recipe.
    """

    parts: tuple[Part, ...]
    evidence: str
    verdict: tuple[Need, Need] | None = None


def evidence_beside(masks: MaskReader) -> Path:
    """Where the evidence of a mask store stands, in the layout of an output folder."""
    return evidence_path(_out(masks), masks.text("labeler"), masks.sequence)


def _out(masks: MaskReader) -> Path:
    """The output folder that a store lies in, relative if the store's path is."""
    path = masks.path if len(masks.path.parts) > 2 else masks.path.absolute()
    return path.parent.parent


def find_origin(masks: MaskReader, recipe: Recipe | None = None) -> Origin:
    """Tell where masks come from.

    Args:
        masks: the store.
        recipe: what to compare it with.

    Raises:
        StoreError: the mask store is damaged.
        RecipeError: the recipe has no such sequence, or cannot use it.
        OSError: an input file of the recipe's dataset cannot be read.
    """
    recorded = {"evidence": masks.structure("evidence_fingerprint"), "masks": masks.fingerprint}
    if recipe is None:
        return Origin(_parts(recorded, recorded), _evidence_note(masks))
    item = _item(recipe, masks)
    plan = plan_item(recipe, item)
    if plan.problem:
        raise RecipeError(f"{masks.sequence}: the recipe cannot use it: {plan.problem}")
    wanted = {"evidence": item.evidence_fingerprint(recipe), "masks": _wanted_masks(recipe, item)}
    return Origin(_parts(recorded, wanted), _evidence_note(masks), (plan.evidence, plan.masks))


def _item(recipe: Recipe, masks: MaskReader) -> Item:
    """The recipe's item of the store's sequence, looking at this store and at the evidence beside it."""
    try:
        item = one_item(recipe, masks.sequence)
    except SpotlabelError as error:
        names = [item.sequence.name for item in items(recipe)]  # all of them: only to tell the nearest name
        if masks.sequence in names:
            raise
        raise RecipeError(
            f"the recipe has no sequence {masks.sequence!r}; {nearest(masks.sequence, names)}"
        ) from error
    beside = evidence_path(_out(masks), item.labeler.name, masks.sequence)
    by_hand = manual_path(_out(masks), masks.sequence)
    return dataclasses.replace(item, mask_path=masks.path, evidence_path=beside, manual_path=by_hand)


def _wanted_masks(recipe: Recipe, item: Item) -> dict[str, Any]:
    """The fingerprint of masks by the recipe; without its evidence part if there is no evidence."""
    try:
        evidence = EvidenceReader(item.evidence_path)
        return item.mask_fingerprint(recipe, evidence)
    except StoreError:
        return item.mask_fingerprint(recipe, None)


def _parts(
    recorded: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]
) -> tuple[Part, ...]:
    listed = []
    for stage, parts in recorded.items():
        for name in sorted({*parts, *wanted[stage]}):
            listed.append(Part(stage, name, parts.get(name), _change(name, parts, wanted[stage])))
    return tuple(listed)


def _change(name: str, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    if name == "evidence" and name not in wanted:
        return "there is none to compare with"
    one, other = ({name: side[name]} if name in side else {} for side in (recorded, wanted))
    return compare(one, other).reason


def _evidence_note(masks: MaskReader) -> str:
    path = evidence_beside(masks)
    if not path.exists():
        return f"not there ({path})"
    try:
        same = EvidenceReader(path).fingerprint == masks.structure("evidence_fingerprint")
    except StoreError as error:
        return f"cannot be read: {error}"
    return f"{path}" if same else f"made again since, from other inputs or settings ({path})"

"""Which videos of a recipe have masks that fit it: what a detector is trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spotlabel.labelers.masks import MASK_RULES_VERSION
from spotlabel.pipeline.errors import DatasetError, SpotlabelError, StoreError
from spotlabel.pipeline.manual.store import manual_digest
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.store.seal import sealed_digest
from spotlabel.pipeline.upkeep.freshness import (
    State,
    annotated_fingerprint,
    annotations_fingerprint,
    compare,
    manual_fingerprint,
)
from spotlabel.pipeline.upkeep.groups import looked_at_once
from spotlabel.pipeline.upkeep.plan import Item, items, plan_item

NOT_COMPARED = ("evidence", "files", "libraries", "decoders")
"""Parts of fingerprints that training takes on trust: it needs neither the evidence store nor the files of
its labeler, nor the libraries of labeler and decoder, and the machine it runs on need not have them."""


@dataclass(frozen=True)
class LabelledSequence:
    """A video and its mask store, which fits the recipe.

    Attributes:
        sequence: the video.
        masks: path of the store.
    """

    sequence: Sequence
    masks: Path


@looked_at_once()
def labelled_sequences(recipe: Recipe, only: Iterable[str] = ()) -> list[LabelledSequence]:
    """Every video of a recipe with its mask store.

    A store fits if it was made from the same frames and annotations, by the same labeler and rules with the
    same settings. The evidence itself need not be there: what it was made from stands in the mask store, too.

    Args:
        recipe: the recipe.
        only: names to keep; empty keeps all.

    Raises:
        StoreError: a store is missing, damaged, or does not fit; the first one is named, with the number
            of all such videos.
        DatasetError, RecipeError: as :meth:`spotlabel.pipeline.recipes.recipe.Recipe.sequences`.
    """
    labelled, problems = [], []
    for item in items(recipe, only):
        try:
            check_labelled(recipe, item)
        except (SpotlabelError, OSError) as error:
            problems.append(str(error))
            continue
        labelled.append(LabelledSequence(item.sequence, item.mask_path))
    if problems:
        rest = f" (and {len(problems) - 1} more videos like it)" if len(problems) > 1 else ""
        raise StoreError(problems[0] + rest)
    return labelled


def stale_masks(recipe: Recipe, item: Item, *, with_frames: bool = True) -> str:
    """Why the masks of a video do not fit its recipe, in one line; empty if they do.

    Args:
        recipe: the recipe.
        item: one of its sequences, with masks.
        with_frames: false takes frames and libraries for unchanged, so that no frame is read.
    """
    plan = plan_item(recipe, item, masks_only=not with_frames)
    if plan.problem:
        return f"cannot be checked: {plan.problem}"
    if plan.masks.state == State.FRESH:
        return ""
    return str(plan.masks) if plan.evidence.state == State.FRESH else f"evidence is {plan.evidence}"


def check_labelled(recipe: Recipe, item: Item, trusted: tuple[str, ...] = ()) -> None:
    """Refuse a video without masks that fit its recipe; see :func:`labelled_sequences`.

    Args:
        recipe: the recipe.
        item: one of its sequences.
        trusted: further parts of the masks' fingerprint that are not compared.

    Raises:
        StoreError: its store is missing, damaged, or does not fit; says in what.
        DatasetError: the video cannot be used.
        OSError: one of its files cannot be read.
    """
    name = item.sequence.name
    if item.sequence.problem:
        raise DatasetError(f"{name}: {item.sequence.problem}")
    if not item.mask_path.exists():
        raise StoreError(
            f"{name}: has no masks ({item.mask_path}); run `spotlabel label` with this recipe first"
        )
    sealed_digest(item.mask_path, item.cache)
    wanted = {
        "settings": recipe.masks.model_dump(mode="json"),
        "mask rules": MASK_RULES_VERSION,
        **annotations_fingerprint(item.sequence, recipe.options, item.cache),
        **annotated_fingerprint(item.sequence, recipe.options, item.cache),
        **manual_fingerprint(manual_digest(item.manual_path, item.cache)),
    }
    masks = MaskReader(item.mask_path, sealed=True)
    if masks.sequence != name:
        raise StoreError(f"{item.mask_path}: holds masks of {masks.sequence!r}, expected {name!r}")
    need = compare(masks.fingerprint, wanted, (*NOT_COMPARED, *trusted))
    if need.state == State.FRESH:
        made_from = masks.structure("evidence_fingerprint")
        need = compare(made_from, item.evidence_fingerprint(recipe, with_files=False), NOT_COMPARED)
    masks.close()
    item.cache.save()
    if need.state != State.FRESH:
        raise StoreError(f"{name}: its masks are {need}; run `spotlabel label` or `relabel` again")

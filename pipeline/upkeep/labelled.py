"""Which videos of a recipe have masks that fit it: what a detector is trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spotlabel.labelers.masks import MASK_RULES_VERSION
from spotlabel.pipeline.errors import DatasetError, SpotlabelError, StoreError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.store.seal import sealed_digest
from spotlabel.pipeline.upkeep.freshness import State, annotations_fingerprint, compare
from spotlabel.pipeline.upkeep.plan import Item, items

NOT_COMPARED = ("evidence", "libraries")
"""Parts of a mask store's fingerprint that training takes on trust: it needs neither evidence nor labelers,
and the machine it runs on need not have them."""


@dataclass(frozen=True)
class LabelledSequence:
    """A video and its mask store, which fits the recipe.

    Attributes:
        sequence: the video.
        masks: path of the store.
    """

    sequence: Sequence
    masks: Path


def labelled_sequences(recipe: Recipe, only: Iterable[str] = ()) -> list[LabelledSequence]:
    """Every video of a recipe with its mask store.

    A store fits if it was made from the same annotations by the same rules with the same mask settings; the
    evidence behind it is not looked at.

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
            _check(recipe, item)
        except (SpotlabelError, OSError) as error:
            problems.append(str(error))
            continue
        labelled.append(LabelledSequence(item.sequence, item.mask_path))
    if problems:
        rest = f" (and {len(problems) - 1} more videos like it)" if len(problems) > 1 else ""
        raise StoreError(problems[0] + rest)
    return labelled


def _check(recipe: Recipe, item: Item) -> None:
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
    }
    need = compare(MaskReader(item.mask_path, sealed=True).fingerprint, wanted, NOT_COMPARED)
    item.cache.save()
    if need.state != State.FRESH:
        raise StoreError(f"{name}: its masks are {need}; run `spotlabel label` or `relabel` again")

"""Which videos of two recipes can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spotlabel.pipeline.compare.stores import CompareError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.upkeep.plan import Item, items


@dataclass(frozen=True)
class Pair:
    """One video in two label versions.

    Attributes:
        name: its name in both recipes.
        a: the video of the first recipe.
        b: that of the second.
    """

    name: str
    a: Item
    b: Item


@dataclass(frozen=True)
class Pairing:
    """The videos of two recipes.

    Attributes:
        pairs: those in both.
        only_a: names of those in the first recipe only.
        only_b: likewise the second.
    """

    pairs: list[Pair]
    only_a: list[str]
    only_b: list[str]


def pair_up(a: Recipe, b: Recipe, only: Iterable[str] = ()) -> Pairing:
    """Match the videos of two recipes by name.

    Args:
        a: the first recipe.
        b: the second.
        only: names to keep; empty keeps all.

    Raises:
        CompareError: both recipes name the same masks, no video is in both, or one has no masks.
        DatasetError, RecipeError: as :meth:`spotlabel.pipeline.recipes.recipe.Recipe.sequences`.
    """
    if a.out.resolve() == b.out.resolve():
        raise CompareError(
            f"both label versions stand in {a.out}; give B an output folder of its own "
            "(`--set-b out=FOLDER`) and label it with `spotlabel label`"
        )
    wanted = list(only)
    first = {item.sequence.name: item for item in items(a, wanted)}
    second = {item.sequence.name: item for item in items(b, wanted)}
    pairs = [Pair(name, item, second[name]) for name, item in first.items() if name in second]
    if not pairs:
        raise CompareError(
            f"no video is in both: A has {_some(list(first))}, B has {_some(list(second))}; "
            "videos are matched by name"
        )
    _refuse_missing(pairs)
    return Pairing(pairs, [n for n in first if n not in second], [n for n in second if n not in first])


def _refuse_missing(pairs: list[Pair]) -> None:
    missing = [
        (side, item) for pair in pairs for side, item in (("A", pair.a), ("B", pair.b))
        if not item.mask_path.exists()
    ]  # fmt: skip
    if missing:
        side, item = missing[0]
        rest = f" (and {len(missing) - 1} more like it)" if len(missing) > 1 else ""
        raise CompareError(
            f"{item.sequence.name}: has no masks in {side} ({item.mask_path}){rest}; "
            f"run `spotlabel label` with {side}'s recipe first, or name labelled videos with --only"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"

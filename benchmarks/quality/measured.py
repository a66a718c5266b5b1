"""Labels of one method on one dataset, made where they are not there, and their figures."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.quality.drawn import Change
from benchmarks.quality.tables import Data, Method, Split
from spotlabel.pipeline.cli.options import console
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.measures.quality import Quality, measure
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.local import run_all
from spotlabel.pipeline.sequence import Annotations, Sequence
from spotlabel.pipeline.stages.evidence import make_evidence
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.upkeep.plan import Item, items, plan_item


@dataclass(frozen=True)
class Measured:
    """Figures of one kind of labels on one sequence.

    Attributes:
        split: what the figures may be used for.
        quality: the figures.
    """

    split: Split
    quality: Quality

    @property
    def row(self) -> str:
        """What a row is called."""
        return self.quality.sequence.rpartition("/")[2]


def measured(data: Path, out: Path, dataset: Data, method: Method, jobs: int) -> list[Measured]:
    """Figures of a method on all sequences of a dataset.

    Args:
        data: folder of all datasets.
        out: where labels are kept.
        dataset: which of them.
        method: how labels are made.
        jobs: videos that are labelled at the same time.
    """
    recipe = recipe_for(data, out, dataset, method)
    chosen = items(recipe)
    if method.boxes is None:
        label(recipe, chosen, jobs)
    else:
        chosen = [_label_drawn(recipe, item, method.folder, method.boxes) for item in chosen]
    qualities = (measure(item.sequence, item.mask_path, dataset.every) for item in chosen)
    return [Measured(dataset.split, quality) for quality in qualities]


def recipe_for(data: Path, out: Path, dataset: Data, method: Method) -> Recipe:
    """The recipe of a method on a dataset."""
    tree = {
        "data": str(data / dataset.folder),
        "out": str(out / dataset.name / (method.folder or method.labeler)),
        "labeler": method.labeler,
        **method.recipe,
        "dataset": {**dataset.options, **method.recipe.get("dataset", {})},
    }
    return build_recipe(tree, where=f"{dataset.name}, {method.title}")


def label(recipe: Recipe, chosen: Iterable[Item], jobs: int) -> None:
    """Label what is not yet labelled, each video in a process of its own; ends the run if one fails."""
    names = [item.sequence.name for item in chosen if not plan_item(recipe, item).idle]
    with watching(console(), len(names), quiet=False) as watcher:
        if any(outcome.failed for outcome in run_all(recipe, names, jobs, False, watcher)):
            sys.exit(1)


def _label_drawn(recipe: Recipe, item: Item, drawn: str, change: Change) -> Item:
    """Label with changed boxes, which no file holds: in this process."""
    sequence = replace(
        item.sequence,
        reader=f"{item.sequence.reader}, {drawn}",
        load=partial(_changed, item.sequence, change),
    )
    item = replace(item, sequence=sequence)
    if not plan_item(recipe, item).idle:
        console().print(f"{sequence.name}: {drawn}", highlight=False)
        annotations = sequence.load()
        make_evidence(recipe, item, annotations, _nothing)
        make_masks(recipe, item, annotations, _nothing)
        item.cache.save()
    return item


def _changed(sequence: Sequence, change: Change) -> Annotations:
    return change(sequence.load(), sequence.frames.size)


def _nothing(done: int, total: int) -> None:
    """Progress nobody looks at."""

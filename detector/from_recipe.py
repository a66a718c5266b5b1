"""What a recipe says to the detector: which videos to train on, how, and where the run stands.

Beside the commands this is the only module of the detector that knows recipes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.detector.data.stills.settings import StillsSettings
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import joined
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.stills import ONLY_VIDEOS, StillsAsked
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.inputs import watching_inputs
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.local import check_writable
from spotlabel.pipeline.upkeep.labelled import labelled_sequences
from spotlabel.pipeline.validation import validated


@dataclass(frozen=True)
class TrainedModel:
    """A training run on disk.

    Attributes:
        folder: everything about the run: models, metrics, pictures, split and settings.
        best: the detector that was best on the held-out frames, for :func:`spotlabel.load_model`.
        last: the detector of the last step.
        validations: figures on the held-out frames, shares of 1, by name (``epoch``, ``ap50``, ``ap70``, and
            ``seg_iou`` where there is a segmentation head): of the untrained network, then after each epoch.
        complete: false if the run was asked to stop; the same call goes on where it was.
    """

    folder: Path
    best: Path
    last: Path
    validations: tuple[Mapping[str, float], ...]
    complete: bool


def asked(recipe: Recipe, only: Iterable[str] = (), name: str = "", again: bool = False) -> Asked:
    """The training that a recipe asks for.

    Args:
        recipe: the recipe; its ``training`` section is checked here.
        only: names of the sequences to train on; empty takes all.
        name: name of the run; empty takes that of the network's preset.
        again: start over where there is a run of this name.

    Raises:
        RecipeError: settings of ``training`` that do not fit, or no such sequence.
        StoreError: a video has no masks, or masks that do not fit the recipe.
        DatasetError: the dataset cannot be listed.
    """
    settings = validated(TrainingSettings, dict(recipe.training), "training")
    folder = recipe.out / "training" / file_stem(name or settings.preset)
    if recipe.stills:
        return Asked((), settings, folder, again, _stills(recipe, only))
    videos = [(found.sequence, found.masks) for found in labelled_sequences(recipe, only)]
    return Asked(videos, settings, folder, again)


def stills_of(recipe: Recipe) -> StillsSettings:
    """The section ``stills`` of a recipe that has one.

    Raises:
        RecipeError: settings that do not fit.
    """
    return validated(StillsSettings, dict(recipe.stills), "stills")


def _stills(recipe: Recipe, only: Iterable[str]) -> StillsAsked:
    if [*only]:
        raise RecipeError("--only: chooses videos, and the recipe is about still pictures")
    for name in ONLY_VIDEOS:
        if name in recipe.training:
            raise RecipeError(
                f"training.{name}: is about videos, and the recipe about still pictures (stills)"
            )
    return StillsAsked(stills_of(recipe), recipe.data)


def train(
    recipe: Recipe,
    *,
    only: Iterable[str] = (),
    name: str = "",
    device: str = "auto",
    again: bool = False,
    stop: Callable[[], bool] | None = None,
    watcher: Watcher | None = None,
) -> TrainedModel:
    """Train a detector on the labelled videos of a recipe: what ``spotlabel train`` does.

    A run of the same name and settings that was left unfinished is gone on with, to the same weights.

    Args:
        recipe: the recipe, of :func:`spotlabel.load_recipe`; its videos must have been labelled.
        only: names of the sequences to train on; empty takes all.
        name: name of the run; empty takes that of the network's preset.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        again: start over where there is a run of this name.
        stop: asked before each step; true writes the state and ends the run. None never stops.
        watcher: told of everything as it happens; None tells nobody.

    Raises:
        RecipeError, StoreError, DatasetError: as :func:`asked`, or the output folder cannot be written to.
        TrainingError: there is a run with other settings, too little memory, or nothing to learn from.
        PredictionError: no such device.
        ChangedInputError: a frame, an annotation file or masks changed meanwhile; nothing is saved of that.
    """
    with watching_inputs():
        wanted = asked(recipe, only, name, again)
        check_writable(wanted.folder)
        with joined(device) as group:
            complete = start(wanted, group, stop or _never, watcher or Watcher())
    folder = wanted.folder
    best, last = folder / "best.safetensors", folder / "last.safetensors"
    return TrainedModel(folder, best, last, _validations(folder / "metrics.jsonl"), complete)


def _never() -> bool:
    return False


def _validations(path: Path) -> tuple[Mapping[str, float], ...]:
    """What the run's metrics tell of held-out frames; nothing if it never came to one."""
    if not path.is_file():
        return ()
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(
        {key: value for key, value in line.items() if key != "kind"}
        for line in lines
        if line["kind"] == "held_out"
    )

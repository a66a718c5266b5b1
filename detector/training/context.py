"""A run: what it consists of, and what it has come to while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spotlabel.detector.data.labelled import Held
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.log import Log
from spotlabel.detector.training.material import BatchSource
from spotlabel.detector.training.saving import StateWriter
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, Trained
from spotlabel.pipeline.inputs import check_inputs


class Watcher:
    """Told of everything as it happens; this one keeps silent."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""

    def step(self, epoch: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Some steps are done."""

    def validated(self, epoch: int, figures: Mapping[str, float], best: bool) -> None:
        """A validation after an epoch is done; epoch 0 is the untrained network."""


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: where everything about it stands.
        spec: what is trained.
        settings: how.
        batches: what it learns from, and is validated on.
        held_out: likewise, one by one, for pictures of it.
        group: this process among those that train together.
        stop: asked before each step; true ends the run after its state is written.
        watcher: told of everything.
    """

    folder: Path
    spec: ModelSpec
    settings: TrainingSettings
    batches: BatchSource
    held_out: Held
    group: Group
    stop: Callable[[], bool]
    watcher: Watcher

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return len(self.batches) * self.settings.epochs


@dataclass(frozen=True)
class Course:
    """A run while it goes on.

    Attributes:
        run: what and how.
        trained: what changes.
        progress: how far it has come.
        log: where figures are written down; None in processes that do not lead.
        states: writes what going on another time needs.
    """

    run: Run
    trained: Trained
    progress: Progress
    log: Log | None
    states: StateWriter

    def save(self) -> None:
        """Begin to write the state, unless what was learnt from has changed.

        Raises:
            ChangedInputError: it has.
            TrainingError: the state before could not be written.
        """
        if self.run.group.leads:
            check_inputs()
            self.states.save(self.progress)

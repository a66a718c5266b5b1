"""The state of a run on disk: everything that going on needs, in one safetensors file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import ConfigDict, Field, TypeAdapter
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.tensor_file import read, write
from spotlabel.detector.training.optimisation import AveragedWeights
from spotlabel.pipeline.errors import one_sentence

FORMAT = "spotlabel-training-state 1"
STATE = "state.safetensors"
"""Name of a run's state in its folder."""


_Count = Annotated[int, Field(ge=0, strict=True)]


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: steps done.
        epoch: epoch that goes on.
        batch: batches of it that are done.
        best: best AP@0.7 so far, in [0, 1]; -1 before the first validation.
        validated: epochs whose validation is written down.
        settings: what the run was started with, as plain data.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    step: _Count = 0
    epoch: _Count = 0
    batch: _Count = 0
    best: Annotated[float, Field(ge=-1, le=1, strict=True)] = -1.0
    validated: _Count = 0
    settings: dict[str, Any] = field(default_factory=dict)


_PROGRESS = TypeAdapter(Progress)
_UPDATES: TypeAdapter[int] = TypeAdapter(_Count)


@dataclass(frozen=True)
class Trained:
    """The parts that training changes."""

    network: nn.Module
    optimiser: Optimizer
    averaged: AveragedWeights | None


@dataclass(frozen=True)
class State:
    """What is written down of a run at one moment.

    Attributes:
        facts: progress and counts, as plain data.
        tensors: by name; those of ``trained`` themselves, which training goes on to change.
    """

    facts: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, trained: Trained, progress: Progress) -> State:
        """The present state of a run."""
        tensors = {f"network.{name}": value for name, value in trained.network.state_dict().items()}
        updates = 0
        if trained.averaged:
            updates = trained.averaged.updates
            tensors |= {f"averaged.{name}": value for name, value in trained.averaged.values.items()}
        for number, moments in trained.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in moments.items()}
        return cls({"progress": asdict(progress), "updates": updates}, tensors)


def save_state(path: Path, trained: Trained, progress: Progress) -> None:
    """Write the present state, as :func:`write_state`."""
    write_state(path, State.of(trained, progress))


def write_state(path: Path, state: State) -> None:
    """Write a state; the file stands under its name whole or not at all.

    Raises:
        TrainingError: the disk is full or will not take it; the previous state is untouched.
    """
    try:
        write(path, FORMAT, state.facts, state.tensors)
    except OSError as error:
        raise TrainingError(
            f"{path}: the state could not be written ({error.strerror or error}); the previous one is kept; "
            "free some space, then run the same command again"
        ) from error


def read_progress(path: Path) -> Progress:
    """How far the run of a state file has come.

    Raises:
        TrainingError: not a state file, or damaged.
    """
    return _read(path, with_tensors=False)[0]


def load_state(path: Path, trained: Trained) -> Progress:
    """Put a saved state into network, optimiser and averaged weights.

    Raises:
        TrainingError: not a state file, damaged, or of another network.
    """
    progress, updates, tensors = _read(path)
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "averaged": {}, "optimiser": {}}
    try:
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        trained.network.load_state_dict(parts["network"])
        if trained.averaged:
            trained.averaged.load(parts["averaged"], updates)
        _load_moments(trained.optimiser, parts["optimiser"])
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        problem = " ".join(str(error).split())[:200]
        raise TrainingError(f"{path}: the state of another network: {problem}") from error
    return progress


def _load_moments(optimiser: Optimizer, moments: dict[str, Tensor]) -> None:
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        number, _, moment = name.partition(".")
        owner = parameters[int(number)]
        # In the parameter's own memory order: the optimiser's fast path wants them alike.
        alike = torch.empty_like(owner, device="cpu").copy_(value) if value.shape == owner.shape else value
        state.setdefault(int(number), {})[moment] = alike
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _read(path: Path, with_tensors: bool = True) -> tuple[Progress, int, dict[str, Tensor]]:
    try:
        facts, tensors = read(path, FORMAT, with_tensors)
        progress = _PROGRESS.validate_python(facts["progress"])
        updates = _UPDATES.validate_python(facts["updates"])
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(
            f"{path}: damaged, or no state of a training run: {one_sentence(error)[:200]}; delete it to "
            "start the run again from its beginning"
        ) from error
    return progress, updates, tensors

"""The training loop: epochs of steps, a look at held-out frames after each, a state to go on from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spotlabel.detector.contract import Batch, Detector
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.log import Log
from spotlabel.detector.training.material import BatchSource
from spotlabel.detector.training.optimisation import AveragedWeights, build_optimiser, learning_rate
from spotlabel.detector.training.pictures import validation_sheet
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, Trained, save_state
from spotlabel.detector.training.step import StepOptions, train_step
from spotlabel.detector.training.validation import Held, Tally, tally
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.pictures.files import write_image

STEPS_BETWEEN_LINES = 20
"""Steps after which losses are fetched from the device, checked and written down."""
STEPS_BETWEEN_QUESTIONS = 5


class Watcher:
    """Told of everything as it happens; this one keeps silent."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""

    def step(self, epoch: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Some steps are done."""

    def validated(self, epoch: int, figures: Mapping[str, float], best: bool) -> None:
        """An epoch's validation is done; epoch 0 is the untrained network."""


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: where everything about it stands.
        spec: what is trained.
        settings: how.
        batches: what it learns from.
        held_out: what it is validated on.
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


def train(run: Run, network: Detector, progress: Progress, trained: Trained) -> bool:
    """Train to the end, or until asked to stop.

    Args:
        run: what and how.
        network: the detector, on its device, as ``trained`` holds it.
        progress: how far it has come; changed as it goes on.
        trained: what changes.

    Returns:
        True if the run is complete, false if it was stopped; its state is on disk either way.

    Raises:
        TrainingError: a loss is not finite, the device is too small, or the disk is full.
    """
    if not len(run.batches):
        raise TrainingError(
            f"one step needs {run.settings.batch * run.group.world} frames and there are only "
            f"{run.batches.pictures} to train on; set training.batch or training.every lower"
        )
    forward = _forward(run, network)
    log = Log(run.folder, progress.step, progress.validated) if run.group.leads else None
    if log and not log.board:
        run.watcher.note(
            "TensorBoard is not installed (pip install spotlabel[tensorboard]): metrics.jsonl alone"
        )
    try:
        if progress.validated == 0 and progress.step == 0:
            _validate(run, trained, progress, log)
        while progress.epoch < run.settings.epochs:
            if not _epoch(run, forward, trained, progress, log):
                return False
    finally:
        if log:
            log.close()
    return True


def _forward(run: Run, network: Detector) -> nn.Module:
    wrapped = run.group.wrapped(network)
    if run.settings.compile:
        wrapped.compile()
    return wrapped


def _epoch(run: Run, forward: nn.Module, trained: Trained, progress: Progress, log: Log | None) -> bool:
    """The rest of an epoch and its validation; false if asked to stop."""
    forward.train()
    meter, saved = _Meter(run, log), time.monotonic()
    options = StepOptions(run.settings.clip, run.settings.bf16, run.settings.channels_last)
    for batch in _batches(run, progress):
        if batch is None:
            meter.flush(progress)
            _save(run, trained, progress)
            return False
        for group in trained.optimiser.param_groups:
            group["lr"] = learning_rate(progress.step, run.steps, run.settings, run.group.world)
        torch.manual_seed(_seed(run, progress.step))
        meter.add(progress, train_step(forward, trained.optimiser, batch, options))
        if trained.averaged:
            trained.averaged.update(trained.network)
        progress.step += 1
        progress.batch += 1
        stopping = _asked_to_stop(run, progress.step)
        if stopping or time.monotonic() - saved > 60 * run.settings.save_minutes:
            meter.flush(progress)
            _save(run, trained, progress)
            saved = time.monotonic()
        if stopping:
            return False
    meter.flush(progress)
    _save(run, trained, progress)  # whatever befalls the validation, the epoch is kept
    progress.epoch, progress.batch = progress.epoch + 1, 0
    _validate(run, trained, progress, log)
    if progress.epoch == run.settings.epochs:  # else the next save holds it; repeating a validation is cheap
        _save(run, trained, progress)
    return True


def _batches(run: Run, progress: Progress) -> Iterator[Batch | None]:
    """The rest of an epoch's batches; a last None if a signal to all processes took the loader's."""
    try:
        yield from run.batches.epoch(progress.epoch, progress.batch)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) or not run.stop():
            raise
        yield None


def _asked_to_stop(run: Run, step: int) -> bool:
    """True if any process was asked to stop; several ask each other only now and then: it costs time."""
    if run.group.world > 1 and step % STEPS_BETWEEN_QUESTIONS:
        return False
    return run.group.any(run.stop())


def _seed(run: Run, step: int) -> int:
    """Of all that is random in a step, so that a run that goes on draws what it would have drawn."""
    return int(np.random.SeedSequence((run.settings.seed, step, run.group.rank)).generate_state(1)[0])


def _save(run: Run, trained: Trained, progress: Progress) -> None:
    if run.group.leads:
        check_inputs()
        save_state(run.folder / "state.safetensors", trained, progress)


class _Meter:
    """Losses and pace of an epoch; fetches from the device now and then, for that makes it wait."""

    def __init__(self, run: Run, log: Log | None) -> None:
        self._run, self._log = run, log
        self._pending: list[tuple[int, float, dict[str, Tensor]]] = []
        self._since = time.monotonic()
        run.batches.waited = 0.0

    def add(self, progress: Progress, losses: dict[str, Tensor]) -> None:
        """Keep the losses of a step."""
        rate = learning_rate(progress.step, self._run.steps, self._run.settings, self._run.group.world)
        self._pending.append((progress.step + 1, rate, losses))
        if len(self._pending) >= STEPS_BETWEEN_LINES:
            self.flush(progress)

    def flush(self, progress: Progress) -> None:
        """Write down what was kept.

        Raises:
            TrainingError: a loss is not finite.
        """
        if not self._pending:
            return
        rows = [
            (step, rate, {name: float(value) for name, value in losses.items()})
            for step, rate, losses in self._pending
        ]
        seconds = max(1e-9, time.monotonic() - self._since)
        images = len(rows) * self._run.settings.batch * self._run.group.world
        pace = {"images_per_second": images / seconds, "loader_share": self._run.batches.waited / seconds}
        self._pending, self._since, self._run.batches.waited = [], time.monotonic(), 0.0
        for step, rate, losses in rows:
            _check_finite(step, losses)
            if self._log:
                self._log.add("train", step, {**losses, "lr": rate})
        if self._log:
            self._run.watcher.step(progress.epoch + 1, rows[-1][0], self._run.steps, {**rows[-1][2], **pace})


def _check_finite(step: int, losses: Mapping[str, float]) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"step {step}: the loss {name} is {value}; the last saved state is from before; try a lower "
                "training.lr, or training.clip, or (with mul_logit gates) a network that was trained before"
            )


def _validate(run: Run, trained: Trained, progress: Progress, log: Log | None) -> None:
    """Measure on held-out frames, keep the weights if they are the best, draw pictures."""
    network = run.spec.build()
    weights = trained.averaged.values if trained.averaged and progress.step else trained.network.state_dict()
    run.group.same(weights)  # running statistics differ between processes
    network.load_state_dict(weights)
    compared = any(attention.foreground for attention in network.attentions.values())
    options = PredictOptions(batch=run.settings.batch_held_out, attention=compared)
    switches = Switches(str(run.group.device), run.settings.bf16, run.settings.channels_last)
    predictor = Predictor(network, run.spec, options, switches)
    mine = list(range(run.group.rank, len(run.held_out), run.group.world))
    counted = Tally()
    for part in run.group.gather(tally(predictor, run.held_out, mine)):
        counted.add(part)
    figures = counted.figures()
    best = progress.epoch > 0 and figures["ap70"] > progress.best
    if best:
        progress.best = figures["ap70"]
    progress.validated = progress.epoch
    if log is None:
        return
    log.add("held_out", progress.step, {"epoch": progress.epoch, **figures})
    check_inputs()
    if best:
        save_model(run.folder / "best.safetensors", network, run.spec)
    if progress.epoch == run.settings.epochs:
        save_model(run.folder / "last.safetensors", network, run.spec)
    _draw(run, predictor, progress, log)
    run.watcher.validated(progress.epoch, figures, best)


def _draw(run: Run, predictor: Predictor, progress: Progress, log: Log) -> None:
    count = min(run.settings.pictures, len(run.held_out))
    if not count:
        return
    indices = [k * len(run.held_out) // count for k in range(count)]
    maps = "".join(f"{attention.title} (grey 0, yellow 1) | " for attention in predictor.attentions.values())
    heading = f"epoch {progress.epoch}   boxes: found (green) over annotated (white) | {maps}mask"
    sheet = validation_sheet(predictor, run.held_out, indices, heading)
    write_image(run.folder / "pictures" / f"epoch-{progress.epoch:03}.jpg", sheet)
    log.picture("held out", progress.step, sheet)


def new_trained(network: Detector, settings: TrainingSettings) -> Trained:
    """Everything that training changes, at its beginning."""
    averaged = AveragedWeights(network, settings.ema) if settings.ema > 0 else None
    return Trained(network, build_optimiser(network, settings), averaged)

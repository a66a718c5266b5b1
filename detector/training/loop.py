"""The training loop: epochs of steps, a look at held-out frames after them, a state to go on from."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from spotlabel.detector.contract import Batch, Detector
from spotlabel.detector.data.loader import LOADER_DIED
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.training.context import Course, Run
from spotlabel.detector.training.held_out import validate
from spotlabel.detector.training.log import Log
from spotlabel.detector.training.meter import Meter
from spotlabel.detector.training.optimisation import AveragedWeights, build_optimiser, learning_rate
from spotlabel.detector.training.saving import StateWriter
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import STATE, Progress, Trained
from spotlabel.detector.training.step import StepOptions, train_step

STEPS_BETWEEN_QUESTIONS = 5


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
        TrainingError: a loss is not finite, the device is too small, a loader process was killed, or the disk
            is full.
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
        with StateWriter(run.folder / STATE, trained, run.watcher.note) as states:
            return _epochs(Course(run, trained, progress, log, states), forward)
    finally:
        if log:
            log.close()


def _forward(run: Run, network: Detector) -> nn.Module:
    # What compiling makes of a wrapped network is cut at its buckets, which a static graph does not allow.
    wrapped = run.group.wrapped(network, network.static_graph and not run.settings.compile)
    if run.settings.compile:
        wrapped.compile()
    return wrapped


def _epochs(course: Course, forward: nn.Module) -> bool:
    """All that are left; false if asked to stop."""
    run, progress = course.run, course.progress
    if progress.validated == 0 and progress.step == 0:
        validate(course)
    while progress.epoch < run.settings.epochs:
        if not _epoch(course, forward):
            return False
        last = progress.epoch == run.settings.epochs
        if last or progress.epoch % run.settings.validate_every == 0:
            validate(course)
        if last:  # else the next save holds it; repeating a validation is cheap
            course.save()
    return True


def _epoch(course: Course, forward: nn.Module) -> bool:
    """The rest of an epoch; false if asked to stop."""
    run, trained, progress = course.run, course.trained, course.progress
    forward.train()
    meter, saved = Meter(course), time.monotonic()
    options = StepOptions(run.settings.clip, run.settings.in_bf16, run.settings.channels_last)
    for batch in _batches(run, progress):
        if batch is None:
            meter.flush()
            course.save()
            return False
        rate = learning_rate(progress.step, run.steps, run.settings, run.group.world)
        for group in trained.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(_seed(run, progress.step))
        meter.add(rate, train_step(forward, trained.optimiser, batch, options))
        if trained.averaged:
            trained.averaged.update(trained.network)
        progress.step += 1
        progress.batch += 1
        stopping = _asked_to_stop(run, progress.step)
        if stopping or time.monotonic() - saved > 60 * run.settings.save_minutes:
            meter.flush()
            course.save()
            saved = time.monotonic()
        if stopping:
            return False
    meter.flush()
    course.save()  # whatever befalls the validation, the epoch is kept
    progress.epoch, progress.batch = progress.epoch + 1, 0
    return True


def _batches(run: Run, progress: Progress) -> Iterator[Batch | None]:
    """The rest of an epoch's batches; a last None if a signal to all processes took the loader's."""
    try:
        yield from run.batches.epoch(progress.epoch, progress.batch)
    except RuntimeError as error:
        if LOADER_DIED not in str(error):
            raise
        if not run.stop():
            raise TrainingError(
                f"step {progress.step + 1}: a loader process was killed (out of memory?); the saved state "
                "is kept; set training.workers or training.remember lower, then run the same command again"
            ) from error
        yield None


def _asked_to_stop(run: Run, step: int) -> bool:
    """True if any process was asked to stop; several ask each other only now and then: it costs time."""
    if run.group.world > 1 and step % STEPS_BETWEEN_QUESTIONS:
        return False
    return run.group.any(run.stop())


def _seed(run: Run, step: int) -> int:
    """Of all that is random in a step, so that a run that goes on draws what it would have drawn."""
    return int(np.random.SeedSequence((run.settings.seed, step, run.group.rank)).generate_state(1)[0])


def new_trained(network: Detector, settings: TrainingSettings) -> Trained:
    """Everything that training changes, at its beginning."""
    averaged = AveragedWeights(network, settings.ema) if settings.ema > 0 else None
    return Trained(network, build_optimiser(network, settings), averaged)

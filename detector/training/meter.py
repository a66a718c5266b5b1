"""Losses and pace of an epoch, as they are written down and told."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from torch import Tensor

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.training.context import Course

STEPS_BETWEEN_LINES = 20
"""Steps after which losses are fetched from the device, checked and written down."""


class Meter:
    """Losses and pace of an epoch; fetches from the device now and then, for that makes it wait."""

    def __init__(self, course: Course) -> None:
        self._run, self._log, self._progress = course.run, course.log, course.progress
        self._pending: list[tuple[int, float, dict[str, Tensor]]] = []
        self._since = time.monotonic()
        self._run.batches.waited = 0.0

    def add(self, rate: float, losses: dict[str, Tensor]) -> None:
        """Keep the losses of a step that was taken at a learning rate and is not counted yet."""
        self._pending.append((self._progress.step + 1, rate, losses))
        if len(self._pending) >= STEPS_BETWEEN_LINES:
            self.flush()

    def flush(self) -> None:
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
            told = {**rows[-1][2], **pace}
            self._run.watcher.step(self._progress.epoch + 1, rows[-1][0], self._run.steps, told)


def _check_finite(step: int, losses: Mapping[str, float]) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"step {step}: the loss {name} is {value}; the last saved state is from before; try a lower "
                "training.lr, or training.clip, or (with mul_logit gates) a network that was trained before"
            )

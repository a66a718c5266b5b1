"""``spotlabel train``: a detector from labelled videos."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType
from typing import Any

import click
import yaml

from spotlabel.detector.cli.training_watch import TrainingWatcher
from spotlabel.detector.from_recipe import asked
from spotlabel.detector.training.distributed import joined
from spotlabel.detector.training.run import describe, start
from spotlabel.pipeline.cli.options import console, recipe_options
from spotlabel.pipeline.errors import Interrupted
from spotlabel.pipeline.inputs import watching_inputs
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.local import check_writable
from spotlabel.pipeline.terminal import echo, echo_lines

_SECONDS_OF_ONE_STOP = 3.0
"""Signals this close together are one request: Slurm tells every process, torchrun its own again."""


class _Stop:
    """Set by the first signal; another one some seconds later ends the process at once."""

    def __init__(self) -> None:
        self.signal = 0
        self._since = 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)

    def _set(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.signal:
            self.signal, self._since = number, now
        elif now - self._since > _SECONDS_OF_ONE_STOP:
            raise Interrupted(number)

    def __call__(self) -> bool:
        return self.signal != 0


@click.command()
@click.option("--name", "name", default="", metavar="NAME", help="Name of the run; default: the preset.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--again", is_flag=True, help="Start over, even if there is a run of this name.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained on what, with all settings.")
@click.option("--quiet", is_flag=True, help="Only the figures of the end.")
@recipe_options
def train(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], name: str, **options: Any) -> None:
    """Train a detector on the videos of RECIPE, whose masks must have been made.

    Writes <out>/training/<run>/: best.safetensors and last.safetensors (detectors for `spotlabel detect`),
    metrics.jsonl, tensorboard/, pictures/ after each epoch, split.json (what was held out), settings.yaml.
    Safe to stop at any moment: the same command goes on where it was, with the same result.

    \b
    Examples:
      spotlabel train ua-detrac --set data=/data/UA-DETRAC --set training.validate_every=5
      spotlabel train demo-train --name attention --set training.preset=spotnet-paper
      torchrun --nproc-per-node 4 --no-python spotlabel train ua-detrac --set data=/data/UA-DETRAC
    """
    with watching_inputs():
        _train(recipe, overrides, only, name, **options)


def _train(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], name: str, **options: Any) -> None:
    """What is learnt from has to stay what it is until the weights are saved."""
    wanted = asked(load_recipe(recipe, overrides), only, name, options["again"])
    if options["dry_run"]:
        echo(f"would train into {wanted.folder}:")
        described = describe(wanted)
        echo_lines(yaml.safe_dump(described, sort_keys=False), nl=False)
        return
    check_writable(wanted.folder)
    stop = _Stop()
    with joined(options["device"]) as group:
        watcher = TrainingWatcher(console(), options["quiet"] or not group.leads)
        try:
            complete = start(wanted, group, stop, watcher)
        finally:
            watcher.close()
        if group.leads and complete:
            watcher.summary(wanted.folder, console(sys.stdout))
    if not complete:
        echo("the state is saved; run the same command again to go on", err=True)
        sys.exit(128 + (stop.signal or signal.SIGTERM))

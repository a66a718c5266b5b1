"""Trains and saves its state again and again until it is killed; then the last state has to load whole."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from spotlabel.detector.training.loop import new_trained
from spotlabel.detector.training.saving import StateWriter
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, Trained, load_state, save_state


def trained() -> Trained:
    return new_trained(nn.Linear(300, 200), TrainingSettings())  # type: ignore[arg-type]


def save_for_ever(path: Path, first: int) -> None:
    made = trained()
    step = first
    with StateWriter(path, made, print) as states:
        while True:
            made.optimiser.step()  # without gradients: changes nothing, but waits as every step does
            with torch.no_grad():
                for value in made.network.parameters():
                    value.fill_(step)
            states.save(Progress(step=step))
            step += 1


def main(folder: Path, kills: int) -> None:
    """Kill a saving process at random moments; after each kill the state must be whole and no older."""
    path, draw, step = folder / "state.safetensors", random.Random(1), 1
    save_state(path, trained(), Progress(step=0))
    for _ in range(kills):
        child = os.fork()
        if not child:
            save_for_ever(path, step)
        time.sleep(draw.uniform(0.002, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = trained()
        progress = load_state(path, found)
        assert progress.step >= step - 1, (progress.step, step)
        if progress.step:
            assert all(bool((value == progress.step).all()) for value in found.network.parameters())
        step = progress.step + 1
    print(f"{kills} kills, {step - 1} states saved")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""R18: a training that is killed while it saves; pickles that want to run code."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.campaign.bench import Bench, surroundings
from benchmarks.campaign.result import Result, Tally
from spotlabel.detector.checkpoint import read_public_checkpoint
from spotlabel.detector.model import load_model
from spotlabel.detector.training.state import read_progress
from spotlabel.pipeline.errors import SpotlabelError
from tests.conftest import ROOT
from tests.helpers import save_child


def run(bench: Bench) -> Iterator[Result]:
    """Kills while saving, then pickles at every door."""
    yield _kills(bench)
    yield _pickles(bench)


def _kills(bench: Bench) -> Result:
    wanted = bench.counts.checkpoint_kills
    tally = Tally(
        "R18",
        "kill -9 while a checkpoint is saved",
        "a process that does nothing but save the state of a training, killed at random instants; after each "
        "kill the state loads whole, and is none but the last saved one or the one being saved",
        wanted,
    )
    folder = bench.fresh("checkpoints")
    done = subprocess.run(
        [sys.executable, str(Path(save_child.__file__)), str(folder), str(wanted)],
        capture_output=True, text=True, check=False, env=surroundings(), cwd=ROOT,
    )  # fmt: skip
    told = re.match(r"(\d+) kills, (\d+) states saved", done.stdout)
    if done.returncode or told is None:
        tally.record("a kill", [f"save_child: {done.stderr.strip().splitlines()[-1:]}"])
        return tally.result()
    for number in range(int(told[1])):
        tally.record(f"kill {number + 1}", [])
    return tally.result(f"{told[2]} states were saved in between")


class _Attack:
    """Unpickling this makes a folder."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.mkdir, (self._target,)


def _pickles(bench: Bench) -> Result:
    folder = bench.fresh("pickles")
    marker = folder / "owned"
    attack = {"state_dict": _Attack(marker)}
    plain, archive, legacy = folder / "plain.pth", folder / "zip.pth", folder / "legacy.pth"
    plain.write_bytes(pickle.dumps(attack, protocol=2))
    torch.save(attack, archive)
    torch.save(attack, legacy, _use_new_zipfile_serialization=False)
    doors: tuple[Callable[[Path], object], ...] = (load_model, read_progress, read_public_checkpoint)
    tally = Tally(
        "R18",
        "a pickle that runs code",
        "plain, zip and legacy pickles given as a model, as the state of a training and as a public "
        "checkpoint: refused in one line, nothing of them runs",
        9,
    )
    for path in (plain, archive, legacy):
        for door in doors:
            problems = []
            try:
                door(path)
            except SpotlabelError as error:
                problems += ["more than one line"] if "\n" in str(error) else []
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}")
            else:
                problems.append("was accepted")
            if marker.exists():
                problems.append("the code in it ran")
                marker.rmdir()
            tally.record(f"{path.name} to {door.__name__}", problems)
    return tally.result()

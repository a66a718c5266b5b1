"""Detectors, states of trainings and public checkpoints, changed at random."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from benchmarks.fuzz import mutate
from benchmarks.fuzz.kind import Kind, Trial
from spotlabel.detector import model as models
from spotlabel.detector.checkpoint import read_public_checkpoint
from spotlabel.detector.model import ModelSpec, load_model
from spotlabel.detector.tensor_file import as_bytes
from spotlabel.detector.training import state as states
from spotlabel.detector.training.loop import new_trained
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, Trained, load_state, read_progress, save_state

_SPEC = ModelSpec(preset="faster-rcnn", backbone="small-c4", class_names=("car", "bus"), sides=(64, 128))
_TINY = ModelSpec(preset="centernet", backbone="hourglass-tiny", class_names=("car",))


def _model(folder: Path) -> Trial:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    path = folder / "model.safetensors"
    own = [(spec, spec.build().state_dict()) for spec in (_SPEC, _TINY)]
    whole = [as_bytes(models.FORMAT, spec.model_dump(mode="json"), tensors) for spec, tensors in own]

    def trial(draw: random.Random) -> list[str]:
        number = draw.randrange(2)
        spec, tensors = own[number]
        facts = spec.model_dump(mode="json")
        path.write_bytes(_file(whole[number], models.FORMAT, facts, tensors, draw))
        network, found = load_model(path)
        wanted = found.build().state_dict()
        loaded = network.state_dict()
        same = loaded.keys() == wanted.keys() and all(loaded[k].shape == wanted[k].shape for k in wanted)
        return [] if same else [f"the weights are not those of {found}"]

    return trial


def _state(folder: Path) -> Trial:
    torch.set_num_threads(1)
    path = folder / "state.safetensors"

    def trained() -> Trained:
        return new_trained(nn.Linear(4, 3), TrainingSettings())  # type: ignore[arg-type]

    made = trained()
    made.network(torch.ones(1, 4)).sum().backward()
    made.optimiser.step()
    save_state(path, made, Progress(step=3, epoch=1, batch=1, best=0.5, validated=1, settings={"lr": 0.1}))
    whole = path.read_bytes()
    tensors = dict(load(whole))
    facts = {
        "progress": asdict(read_progress(path)),
        "updates": made.averaged.updates if made.averaged else 0,
    }

    def trial(draw: random.Random) -> list[str]:
        path.write_bytes(_file(whole, states.FORMAT, facts, tensors, draw))
        read_progress(path)
        return _nonsense(load_state(path, trained()))

    return trial


def _nonsense(progress: Progress) -> list[str]:
    counts = (progress.step, progress.epoch, progress.batch, progress.validated)
    problems = [f"a count of {count!r}" for count in counts if type(count) is not int or count < 0]
    if not isinstance(progress.best, (int, float)) or not math.isfinite(progress.best):
        problems.append(f"a best of {progress.best!r}")
    if type(progress.settings) is not dict:
        problems.append(f"settings {progress.settings!r:.80}")
    return problems


def _file(
    whole: bytes, format_: str, facts: dict[str, Any], tensors: dict[str, Tensor], draw: random.Random
) -> bytes:
    """Other bytes, or a file with digests of its own about other facts or tensors."""
    if (way := draw.random()) < 0.25:
        at = draw.choice((0, 8))  # the header is where most can go wrong
        head = min(len(whole), 8 + int.from_bytes(whole[:8], "little"))
        return mutate.flipped(whole[:head], draw, at) + whole[head:]
    if way < 0.45:
        return mutate.flipped(whole, draw) if draw.random() < 0.7 else mutate.changed(whole, draw)
    if way < 0.75:
        facts = mutate.tree(facts, draw)
    else:
        tensors = _other_tensors(tensors, draw)
    try:
        return as_bytes(format_, json.loads(json.dumps(facts)), tensors)
    except (ValueError, RecursionError, UnicodeEncodeError):  # no writer can make such a file
        return mutate.flipped(whole, draw)


def _other_tensors(tensors: dict[str, Tensor], draw: random.Random) -> dict[str, Tensor]:
    made = dict(tensors)
    name = draw.choice(sorted(made))
    value = made.pop(name)
    way = draw.randrange(6)
    if way == 0:
        return made
    if way == 1:
        return {**made, draw.choice(("", "x", f"{name}.0", "optimiser.99.x", "optimiser.x", "a.b")): value}
    if way == 2:
        return {**made, name: value.to(draw.choice((torch.int64, torch.float64, torch.bool, torch.float16)))}
    if way == 3:
        return {**made, name: value.reshape(-1)[: draw.randrange(value.numel() + 1)].clone()}
    if way == 4:
        return {**made, name: made[draw.choice(sorted(made))].clone() if made else value}
    return {**made, name: torch.full_like(value, draw.choice((0, 1, -1, 100)))}


def _public(folder: Path) -> Trial:
    path = folder / "public.pth"
    tensors = {f"conv{n}.weight": torch.ones(2, 3, n) for n in (1, 2)}
    whole = []
    for zipped in (True, False):
        torch.save({"state_dict": tensors, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
        whole.append(path.read_bytes())

    def trial(draw: random.Random) -> list[str]:
        own = draw.choice(whole)
        path.write_bytes(mutate.flipped(own, draw) if draw.random() < 0.6 else mutate.changed(own, draw))
        found = read_public_checkpoint(path)
        bad = [name for name, value in found.items() if not isinstance(value, Tensor)]
        bad += [n for n, v in found.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
        return [f"accepted {name!r}" for name in bad]

    return trial


_WHAT = (
    "bytes of header and tensors changed; facts and tensors changed behind digests that fit: refused in one "
    "line, or"
)
KINDS = (
    Kind("model", "R25", 0.6, f"{_WHAT} a network whose weights are those that it needs", _model),
    Kind("training-state", "R25", 1.0, f"{_WHAT} counts and figures that a run can have", _state),
    Kind("public-checkpoint", "R25", 1.0,
         "zip and legacy checkpoints of PyTorch, bytes changed: refused in one line, or finite tensors",
         _public),
)  # fmt: skip

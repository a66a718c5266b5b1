"""From labelled videos and settings to a run: what it consists of, where it stands, how it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from spotlabel.detector.contract import Detector
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.networks.recompute import recompute_blocks
from spotlabel.detector.prediction.engine import computes_bf16
from spotlabel.detector.training.context import Run, Watcher
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.initial import load_initial
from spotlabel.detector.training.loop import new_trained, train
from spotlabel.detector.training.material import Material
from spotlabel.detector.training.memory import enough_memory
from spotlabel.detector.training.saving import enough_disk
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import STATE, Progress, load_state, read_progress
from spotlabel.detector.training.stills import StillsAsked, open_stills_material
from spotlabel.detector.training.videos import open_videos
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.sequence import Sequence

WITHOUT_EFFECT = (
    *("workers", "start_method", "remember", "save_minutes", "pictures", "batch_held_out"),
    *("checkpoint_activations", "validate_every"),
)
"""Settings that may change between two parts of a run."""
MADE_HERE = (STATE, "best.safetensors", "last.safetensors", "metrics.jsonl", "split.json", "settings.yaml")


@dataclass(frozen=True)
class Asked:
    """What a user wants trained.

    Attributes:
        videos: sequences with the paths of their mask stores; none where there are still pictures.
        settings: how.
        folder: folder of the run.
        again: start over.
        stills: still pictures, in place of videos.
    """

    videos: Seq[tuple[Sequence, Path]]
    settings: TrainingSettings
    folder: Path
    again: bool = False
    stills: StillsAsked | None = None

    def opened(self) -> Material:
        """What is learnt from, opened and checked.

        Raises:
            TrainingError, StoreError, DatasetError: it cannot be used.
        """
        if self.stills:
            return open_stills_material(self.stills, self.settings)
        return open_videos(self.videos, self.settings)


def start(asked: Asked, group: Group, stop: Callable[[], bool], watcher: Watcher) -> bool:
    """Train, from the beginning or from where a run of the same settings was left.

    Args:
        asked: what is wanted.
        group: this process among those that train together.
        stop: asked before each step.
        watcher: told of everything.

    Returns:
        True if the run is complete.

    Raises:
        TrainingError: the folder holds a run with other settings, the GPU is too small, the disk is full, or
            as :func:`spotlabel.detector.training.loop.train`.
        StoreError: masks that do not fit their frames.
    """
    decided = replace(asked, settings=_decided(asked, group, watcher))
    with enough_memory(decided.settings), enough_disk(asked.folder):
        return _start(decided, group, stop, watcher)


def _decided(asked: Asked, group: Group, watcher: Watcher) -> TrainingSettings:
    """The settings without ``auto``: as a run was begun, else what suits all devices."""
    settings, state = asked.settings, asked.folder / STATE
    if settings.bf16 != "auto":
        return settings
    suits = all(group.gather(computes_bf16(group.device)))
    begun = None if asked.again or not state.exists() else read_progress(state).settings.get("bf16")
    narrow = begun if isinstance(begun, bool) else suits
    how, other = ("bfloat16", "false") if narrow else ("single precision", "true")
    if narrow != suits:
        watcher.note(f"going on in {how}, as this run was begun; training.bf16={other} needs another --name")
    elif narrow:
        watcher.note(f"in {how}, which this GPU is fast at (training.bf16={other} for single precision)")
    return settings.model_copy(update={"bf16": narrow})


def _check_frozen(network: Detector, settings: TrainingSettings, spec: ModelSpec) -> None:
    """Refuse to freeze weights that nobody trained: the run would end well and learn next to nothing."""
    if not settings.init and any(not parameter.requires_grad for parameter in network.parameters()):
        raise TrainingError(
            f"training.init: {spec.preset} on {spec.backbone} keeps weights frozen, which would be random "
            "ones: set it to imagenet, imagenet:FILE or a detector's file, or choose another backbone"
        )


def _start(asked: Asked, group: Group, stop: Callable[[], bool], watcher: Watcher) -> bool:
    settings, folder = asked.settings, asked.folder
    material = asked.opened()
    progress = _progress(asked, material, group)
    _check_same_state(folder, progress, group)
    if progress.epoch >= settings.epochs:
        return True
    torch.manual_seed(settings.seed)
    torch.backends.cudnn.benchmark = True  # canvases of one size: worth choosing the fastest kernels once
    network = training_network(material.spec, settings, group)
    material.check(network)
    for note in material.notes(network):
        watcher.note(note)
    if progress.step == 0:
        _check_frozen(network, settings, material.spec)
        if settings.init:
            watcher.note(load_initial(settings.init, network, material.spec))
    trained = new_trained(network, settings)
    if progress.step:
        progress = load_state(folder / STATE, trained)
        watcher.note(f"going on after step {progress.step}")
    if group.leads:
        _clear_partials(folder)
        _write_facts(asked, material)
    batches = material.batches(network, group)
    run = Run(folder, material.spec, settings, batches, material.held_out, group, stop, watcher)
    return train(run, network, progress, trained)


def describe(asked: Asked) -> dict[str, Any]:
    """What a run would consist of, as plain data."""
    material, settings = asked.opened(), asked.settings
    parameters = sum(p.numel() for p in material.spec.build().parameters())
    steps = material.count // settings.batch * settings.epochs
    return {
        "network": {**material.spec.model_dump(mode="json"), "parameters": parameters},
        "frames": {"train": material.count, "held_out": len(material.held_out), "steps": steps},
        "split": material.split(),
        "settings": settings.model_dump(mode="json"),
    }


def training_network(spec: ModelSpec, settings: TrainingSettings, group: Group) -> Detector:
    """The network with random weights, on its device and as the switches want it.

    Raises:
        TrainingError: a switch that does nothing for this network.
    """
    network = spec.build(settings.weights)
    network.share = group.share
    if settings.sync_norm and group.world > 1 and group.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    if settings.checkpoint_activations and not recompute_blocks(network):
        raise TrainingError(
            f"training.checkpoint_activations: {spec.backbone} has no residual blocks whose activations "
            "could be computed again (leave it out)"
        )
    memory = torch.channels_last if settings.channels_last else torch.contiguous_format
    placed: Detector = network.to(group.device).to(memory_format=memory)  # type: ignore[call-overload]
    return placed


def _progress(asked: Asked, material: Material, group: Group) -> Progress:
    """Where the run stands; a beginning if there is none, or if it is to start over."""
    wanted = {**_comparable(asked.settings), "split": material.split(), "processes": group.world}
    wanted = json.loads(json.dumps({**wanted, **material.identity()}))
    state = asked.folder / STATE
    if asked.again:
        if group.leads:
            _remove(asked.folder)
        return Progress(settings=wanted)
    if not state.exists():
        return Progress(settings=wanted)
    found = read_progress(state)
    if found.settings != wanted:
        changed = [key for key in wanted if found.settings.get(key) != wanted[key]]
        raise TrainingError(
            f"{asked.folder}: holds a run with other settings ({', '.join(changed)}); choose another --name, "
            "or start over with --again"
        )
    return found


def _check_same_state(folder: Path, progress: Progress, group: Group) -> None:
    """Refuse to go on from different places: processes would wait for each other for ever."""
    steps = sorted(set(group.gather(progress.step)))
    if len(steps) > 1:
        raise TrainingError(
            f"{folder}: some processes find a state after step {steps[-1]} there, others after step "
            f"{steps[0]}; `out` must lie on a file system that all nodes share"
        )


def _comparable(settings: TrainingSettings) -> dict[str, Any]:
    """The settings that decide the result."""
    return settings.model_dump(mode="json", exclude=set(WITHOUT_EFFECT))


def _remove(folder: Path) -> None:
    for name in MADE_HERE:
        (folder / name).unlink(missing_ok=True)
    for name in ("tensorboard", "pictures"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _clear_partials(folder: Path) -> None:
    """Remove what a killed run was in the middle of writing."""
    for path in folder.rglob(".*.partial"):
        path.unlink(missing_ok=True)


def _write_facts(asked: Asked, material: Material) -> None:
    """What was held out and all settings, beside the run."""
    (asked.folder / "pictures").mkdir(exist_ok=True)
    write_atomically(asked.folder / "split.json", json.dumps(material.split(), indent=1).encode())
    text = yaml.safe_dump(asked.settings.model_dump(mode="json"), sort_keys=False)
    write_atomically(asked.folder / "settings.yaml", text.encode())

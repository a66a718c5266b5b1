"""From labelled videos and settings to a run: what it consists of, where it stands, how it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from spotlabel.detector.contract import Detector
from spotlabel.detector.data.colour import Colours
from spotlabel.detector.data.frames import EpochBatches, FrameList, SampleRules
from spotlabel.detector.data.labelled import ClassMap, class_map, open_labelled
from spotlabel.detector.data.loader import Batches, LoaderOptions
from spotlabel.detector.data.split import Split, split_videos
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.networks.recompute import recompute_blocks
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.initial import load_initial
from spotlabel.detector.training.loop import Run, Watcher, new_trained, train
from spotlabel.detector.training.memory import enough_memory
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, load_state, read_progress
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store.seal import read_seal

STATE = "state.safetensors"
WITHOUT_EFFECT = (
    *("workers", "start_method", "remember", "save_minutes", "pictures", "batch_held_out"),
    "checkpoint_activations",
)
"""Settings that may change between two parts of a run."""
MADE_HERE = (STATE, "best.safetensors", "last.safetensors", "metrics.jsonl", "split.json", "settings.yaml")


@dataclass(frozen=True)
class Asked:
    """What a user wants trained.

    Attributes:
        videos: sequences with the paths of their mask stores.
        settings: how.
        folder: folder of the run.
        again: start over.
    """

    videos: Seq[tuple[Sequence, Path]]
    settings: TrainingSettings
    folder: Path
    again: bool = False


@dataclass(frozen=True)
class _Data:
    stores: dict[str, Path]
    spec: ModelSpec
    split: Split
    train: FrameList
    held_out: FrameList


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
        TrainingError: the folder holds a run with other settings, the GPU is too small, or
            as :func:`spotlabel.detector.training.loop.train`.
        StoreError: masks that do not fit their frames.
    """
    with enough_memory(asked.settings):
        return _start(asked, group, stop, watcher)


def _start(asked: Asked, group: Group, stop: Callable[[], bool], watcher: Watcher) -> bool:
    settings, folder = asked.settings, asked.folder
    data = _data(asked.videos, settings)
    progress = _progress(asked, data, group)
    _check_same_state(folder, progress, group)
    if progress.epoch >= settings.epochs:
        return True
    _tell_slow_sources(data, watcher)
    torch.manual_seed(settings.seed)
    torch.backends.cudnn.benchmark = True  # canvases of one size: worth choosing the fastest kernels once
    network = _network(data.spec, settings, group)
    if settings.init and progress.step == 0:
        watcher.note(load_initial(settings.init, network, data.spec))
    trained = new_trained(network, settings)
    if progress.step:
        progress = load_state(folder / STATE, trained)
        watcher.note(f"going on after step {progress.step}")
    if group.leads:
        _clear_partials(folder)
        _write_facts(asked, data)
    batches = _batches(data, settings, group, network.colours)
    run = Run(folder, data.spec, settings, batches, data.held_out, group, stop, watcher)
    return train(run, network, progress, trained)


def describe(videos: Seq[tuple[Sequence, Path]], settings: TrainingSettings) -> dict[str, Any]:
    """What a run would consist of, as plain data."""
    data = _data(videos, settings)
    parameters = sum(p.numel() for p in data.spec.build().parameters())
    steps = len(data.train) // settings.batch * settings.epochs
    return {
        "network": {**data.spec.model_dump(mode="json"), "parameters": parameters},
        "frames": {"train": len(data.train), "held_out": len(data.held_out), "steps": steps},
        "split": data.split.as_data(),
        "settings": settings.model_dump(mode="json"),
    }


def _data(videos: Seq[tuple[Sequence, Path]], settings: TrainingSettings) -> _Data:
    opened = [open_labelled(sequence, masks) for sequence, masks in videos]
    split = split_videos(
        opened, settings.held_out, every=settings.every, every_held_out=settings.every_held_out
    )
    classes = class_map(opened, settings.classes)
    _check_objects(split, classes)
    spec = ModelSpec(
        preset=settings.preset,
        backbone=settings.backbone,
        class_names=classes.names,
        options=settings.options,
    )
    return _Data(
        {sequence.name: masks for sequence, masks in videos},
        spec,
        split,
        FrameList(split.train, classes, settings.remember),
        FrameList(split.held_out, classes, settings.remember),
    )


def _check_objects(split: Split, classes: ClassMap) -> None:
    for side, parts in (("to train on", split.train), ("to validate on", split.held_out)):
        if not any(part.video.objects(part.indices, classes) for part in parts):
            raise TrainingError(
                f"the frames {side} hold no object of the classes {', '.join(classes.names)}; choose other "
                "training.held_out, training.every or training.classes"
            )


def _tell_slow_sources(data: _Data, watcher: Watcher) -> None:
    videos = {part.video.name: part.video for part in (*data.split.train, *data.split.held_out)}
    for name, video in videos.items():
        if len(video.frames.files()) == 1 < len(video.masks):
            watcher.note(
                f"{name}: a video file; reading its frames in random order is slow: extract them "
                "into a folder of images, or set training.remember to the number of frames"
            )


def _network(spec: ModelSpec, settings: TrainingSettings, group: Group) -> Detector:
    network = spec.build(settings.weights)
    network.share = group.share
    if any(side % network.multiple for side in settings.canvas):
        height, width = settings.canvas
        raise TrainingError(
            f"training.canvas: {height}x{width}: {spec.preset} on {spec.backbone} needs multiples of "
            f"{network.multiple}"
        )
    if settings.sync_norm and group.world > 1 and group.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    if settings.checkpoint_activations:
        recompute_blocks(network)
    memory = torch.channels_last if settings.channels_last else torch.contiguous_format
    placed: Detector = network.to(group.device).to(memory_format=memory)  # type: ignore[call-overload]
    return placed


def _batches(data: _Data, settings: TrainingSettings, group: Group, colours: Colours) -> Batches:
    order = EpochBatches(len(data.train), settings.batch, settings.seed, rank=group.rank, world=group.world)
    names = ("canvas", "crop", "extent", "colour", "ignore_mode", "index_boxes", "seed")
    rules = SampleRules(**{name: getattr(settings, name) for name in names}, colours=colours)
    options = LoaderOptions(settings.workers, settings.fast_data, settings.start_method)
    return Batches(data.train, order, rules, group.device, options)


def _progress(asked: Asked, data: _Data, group: Group) -> Progress:
    """Where the run stands; a beginning if there is none, or if it is to start over."""
    wanted = {**_comparable(asked.settings), "split": data.split.as_data(), "processes": group.world}
    wanted["masks"] = {name: read_seal(path).rstrip(b"\0").decode() for name, path in data.stores.items()}
    wanted = json.loads(json.dumps(wanted))
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


def _write_facts(asked: Asked, data: _Data) -> None:
    """What was held out and all settings, beside the run."""
    (asked.folder / "pictures").mkdir(exist_ok=True)
    write_atomically(asked.folder / "split.json", json.dumps(data.split.as_data(), indent=1).encode())
    text = yaml.safe_dump(asked.settings.model_dump(mode="json"), sort_keys=False)
    write_atomically(asked.folder / "settings.yaml", text.encode())

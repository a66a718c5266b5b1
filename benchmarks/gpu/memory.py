"""What is said when memory runs out: a full card, in training and in detection."""

from __future__ import annotations

import resource
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.gpu.material import videos_to_train_on
from benchmarks.gpu.setting import Record, Setting
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import joined
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.errors import SpotlabelError

_LEFT = 3 * 2**30
"""Bytes of the card that are left free: room for the network and its optimiser, not for a batch."""
_ROOM = 2**29
"""Bytes that the process may take beside what it has, on a CPU."""


def run(setting: Setting, record: Record) -> None:
    """On a CPU memory is limited for this process, and detection alone has words for it."""
    if setting.device == "cpu":
        record.fact("detection", told(lambda: _detect("hourglass-tiny", 1, 4096, "cpu")))
        record.fact("training", "not told on a CPU")
        return
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(max(0, free - _LEFT), dtype=torch.uint8, device="cuda")
    record.fact("GiB taken beforehand", len(taken) / 2**30)
    record.fact("detection", told(lambda: _detect("hourglass-104", 8, 2048, "cuda")))
    torch.cuda.empty_cache()
    record.fact("training", told(lambda: _train(setting)))


def told(job: Callable[[], object]) -> str:
    """The one line of a job that has not enough memory.

    Raises:
        RuntimeError: it had enough.
    """
    try:
        job()
    except SpotlabelError as error:
        return str(error)
    raise RuntimeError("memory was enough: nothing was tried")


def _detect(backbone: str, batch: int, side: int, device: str) -> None:
    spec = ModelSpec(preset="spotnet-paper", backbone=backbone)
    predictor = Predictor(spec.build(), spec, PredictOptions(batch=batch), Switches(device))
    if device == "cpu":
        limit = _address_space() + _ROOM
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    predictor.predict([np.zeros((side, side, 3), np.uint8)] * batch)


def _train(setting: Setting) -> None:
    videos = videos_to_train_on(setting.work, 640, 512, 8, 4)
    settings = TrainingSettings(
        preset="spotnet-paper", every=1, every_held_out=8, held_out=(videos[0][0].name,), ema=0, pictures=0,
        workers=0, batch_held_out=1,
    )  # fmt: skip
    folder = setting.work / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with joined("cuda") as group:
        start(Asked(videos, settings, folder), group, lambda: False, Watcher())


def _address_space() -> int:
    """Bytes of address space that this process has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

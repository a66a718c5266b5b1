"""How long training waits for data that lie as JPEG files and mask stores."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.gpu.material import videos_to_train_on
from benchmarks.gpu.setting import Record, Setting
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import joined
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings

_QUICK = {"backbone": "hourglass-tiny", "canvas": (64, 64), "batch": 2}


class _Paces(Watcher):
    """Keeps what a run tells of its pace; asks it to stop after some lines."""

    def __init__(self, lines: int) -> None:
        self.paces: list[tuple[float, float]] = []
        self._lines = lines

    def step(self, epoch: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        self.paces.append((losses["images_per_second"], losses["loader_share"]))

    def enough(self) -> bool:
        return len(self.paces) >= self._lines


def run(setting: Setting, record: Record) -> None:
    """Images a second and the share of the time spent waiting, by number of loader processes."""
    width, height, frames, videos = (96, 64, 6, 9) if setting.quick else (960, 540, 48, 21)
    found = videos_to_train_on(setting.work, width, height, frames, videos)
    files = found[0][0].frames.files()
    record.fact(
        "frames", f"{width}x{height}, {sum(f.stat().st_size for f in files) // len(files)} bytes each"
    )
    lines = 1 if setting.quick else 3
    for workers in (0, 1) if setting.quick else (4, 8, 16):
        settings = TrainingSettings(
            preset="spotnet-paper", bf16=True, every=1, every_held_out=max(2, frames // 2), epochs=50,
            held_out=(found[0][0].name,), ema=0, pictures=0, workers=workers,
            **_QUICK if setting.quick else {},
        )  # fmt: skip
        watcher = _Paces(lines)
        asked = Asked(found, settings, setting.work / f"workers-{workers}")
        asked.folder.mkdir(parents=True, exist_ok=True)
        with joined(setting.device) as group:
            start(asked, group, watcher.enough, watcher)
        pace, waiting = watcher.paces[lines - 1]  # the first line has the start of the processes in it
        record.row("From JPEG and stores", workers=workers, **{"images/s": pace, "share of waiting": waiting})

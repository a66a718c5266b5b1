"""Detection in JPEG files, decoding beside the network or before it."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.gpu.material import jpeg_files, street
from benchmarks.gpu.setting import Record, Setting
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.prediction.clips import Clip, ImageList
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.job import Wanted, detect_clip
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.pipeline.sequence import Image

THREADS = 8


def run(setting: Setting, record: Record) -> None:
    """Images a second in memory, read one after the other, and read ahead."""
    width, height, count, times = (128, 64, 4, 1) if setting.quick else (1024, 640, 32, 4)
    paths = jpeg_files(setting.work / "frames", street(width, height, count)) * times
    spec = ModelSpec(preset="spotnet-paper", backbone="hourglass-tiny" if setting.quick else "hourglass-104")
    record.fact("network", f"{spec.preset} on {spec.backbone}, {height}x{width}, {len(paths)} images")
    for bf16, batch in ((False, 1), (True, 1), (True, 8)):
        predictor = Predictor(
            spec.build(), spec, PredictOptions(batch=batch), Switches(setting.device, bf16=bf16)
        )
        _tell(record, predictor, paths, f"{'bf16' if bf16 else 'fp32'}, batch {batch}", setting.work)


def _tell(record: Record, predictor: Predictor, paths: list[Path], name: str, folder: Path) -> None:
    frames = ImageList(paths)
    images = [frames.read(index) for index in range(len(frames))]
    batch = predictor.options.batch
    predictor.predict(images[:batch])
    predictor.predict(images[:batch])

    started = time.perf_counter()
    predictor.predict(images)
    in_memory = time.perf_counter()
    for first in range(0, len(frames), batch):
        predictor.predict(_read(frames, first, batch))
    one_by_one = time.perf_counter()
    wanted = Wanted(folder / "detections", threads=THREADS)
    detect_clip(Clip("street", frames), predictor, wanted, lambda done, total: None)
    ahead = time.perf_counter()
    record.row("Images/s", **{
        "how": name, "in memory": len(images) / (in_memory - started),
        "read, then looked at": len(images) / (one_by_one - in_memory),
        f"read ahead by {THREADS} threads": len(images) / (ahead - one_by_one),
    })  # fmt: skip


def _read(frames: ImageList, first: int, count: int) -> list[Image]:
    return [frames.read(index) for index in range(first, min(first + count, len(frames)))]

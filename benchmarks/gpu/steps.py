"""A training step with each switch, and the largest batch that fits."""

from __future__ import annotations

import contextlib
import gc
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch

from benchmarks.bench_training import Variant, batch_of, seconds, training_job
from benchmarks.gpu.setting import Record, Setting
from spotlabel.detector.model import ModelSpec

BEST = Variant("bf16 + channels_last", bf16=True, channels_last=True)
THRIFTY = Variant(
    "bf16 + channels_last + checkpoint_activations", bf16=True, channels_last=True, recompute=True
)
VARIANTS = (
    (Variant("fp32"), False),
    (Variant("TF32"), True),
    (Variant("channels_last, TF32", channels_last=True), True),
    (Variant("bf16", bf16=True), True),
    (BEST, True),
    (THRIFTY, True),
)
"""With whether single-precision products are rounded to TF32."""


@dataclass(frozen=True)
class Workload:
    """What is trained where.

    Attributes:
        device: where.
        spec: the network.
        batch: images a step.
        side: of the square canvas.
        rounds: steps that are timed.
    """

    device: torch.device
    spec: ModelSpec
    batch: int
    side: int
    rounds: int


def run(setting: Setting, record: Record) -> None:
    """Images a second and memory by variant; then the largest batch of three of them."""
    work = workload(setting)
    torch.backends.cudnn.benchmark = True
    record.fact(
        "network",
        f"{work.spec.preset} on {work.spec.backbone}, {work.side}x{work.side}, batch {work.batch}",
    )
    for variant, tf32 in VARIANTS:
        with _rounding(tf32):
            pace, memory = measured(work, variant)
        record.row("Training step", variant=variant.name, **{"images/s": pace, "GiB at most": memory})
    for variant, tf32 in (VARIANTS[0], VARIANTS[4], VARIANTS[5]):
        with _rounding(tf32):
            images = largest(partial(_fits, work, variant), work.batch, 4 if setting.quick else 512)
        record.row("Largest batch", variant=variant.name, images=images)


def workload(setting: Setting) -> Workload:
    """The published training's, or a toy."""
    backbone, batch, side, rounds = (
        ("hourglass-tiny", 2, 64, 2) if setting.quick else ("hourglass-104", 16, 512, 8)
    )
    spec = ModelSpec(preset="spotnet-paper", backbone=backbone)
    return Workload(torch.device(setting.device), spec, batch, side, rounds)


def measured(work: Workload, variant: Variant) -> tuple[float, float]:
    """Images a second (median of the steps after two) and most memory of the card in GiB."""
    _empty(work.device)
    job = training_job(work.spec, variant, batch_of(work.batch, (work.side, work.side), work.device))
    for _ in range(2):
        job()
    pace = work.batch / statistics.median(seconds(job, work.device) for _ in range(work.rounds))
    memory = torch.cuda.max_memory_allocated(work.device) / 2**30 if work.device.type == "cuda" else 0.0
    return pace, memory


def largest(fits: Callable[[int], bool], first: int, most: int) -> int:
    """The largest number up to ``most`` that fits, to about an eighth; 0 if not even 1 does.

    Args:
        fits: whether a number does; what fits leaves room for all smaller ones.
        first: where to begin.
        most: where to end.
    """
    good, bad, count = 0, most + 1, min(first, most)
    while bad - good > max(1, good // 8):
        if fits(count):
            good = count
        else:
            bad = count
        count = min(2 * good, most) if bad > most and good else (good + bad) // 2
    return good


def _fits(work: Workload, variant: Variant, images: int) -> bool:
    try:
        measured(replace(work, batch=images, rounds=1), variant)
    except torch.cuda.OutOfMemoryError:
        return False
    return True


@contextlib.contextmanager
def _rounding(tf32: bool) -> Iterator[None]:
    """Products of single-precision numbers in TF32 or not; torch's own default is a mixture."""
    kept = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = kept


def _empty(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)

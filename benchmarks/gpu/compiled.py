"""A compiled training step beside a plain one."""

from __future__ import annotations

import time

import torch

from benchmarks.bench_training import Variant, batch_of, seconds, training_job
from benchmarks.gpu.setting import Record, Setting
from benchmarks.gpu.steps import BEST, measured, workload

COMPILED = Variant("bf16 + channels_last + compile", bf16=True, channels_last=True, compile=True)


def run(setting: Setting, record: Record) -> None:
    """Images a second of both, and the seconds until the compiled one can begin."""
    work = workload(setting)
    torch.backends.cudnn.benchmark = True
    if setting.quick:  # compiling takes a compiler and a minute, on toys as well
        torch.compiler.set_stance("force_eager")
        record.fact("compiler", "left out at toy size")
    pace, memory = measured(work, BEST)
    record.row("Training step", variant=BEST.name, **{"images/s": pace, "GiB at most": memory})
    started = time.perf_counter()
    job = training_job(work.spec, COMPILED, batch_of(work.batch, (work.side, work.side), work.device))
    seconds(job, work.device)
    record.fact("seconds until the first compiled step is done", time.perf_counter() - started)
    del job
    pace, memory = measured(work, COMPILED)
    record.row("Training step", variant=COMPILED.name, **{"images/s": pace, "GiB at most": memory})

"""The demo's training as a user runs it, to its AP; a run that is stopped and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors.torch import load_file

from benchmarks.gpu.setting import Record, Setting

_COMMAND = (sys.executable, "-c", "from spotlabel.pipeline.cli import main; main()")
_RUN = Path("training") / "spotnet-paper"
_TOYS = tuple(
    {"name": f"street-{n:02}", "seed": n, "frames": 12, "fps": 12, "width": 96, "height": 64}
    for n in (9, 10, 11)
)
_TOY_CHANGES = {
    "dataset.scenes": _TOYS, "evidence.mog2.warm_up_frames": 2, "labeler": "mog2",
    "training.canvas": [64, 96],
    "training.held_out": ["street-09"], "training.every_held_out": 2,
}  # fmt: skip


def run(setting: Setting, record: Record) -> None:
    """Label, train, tell the figures; then stop a short run, let it go on, compare it with one left alone."""
    changes = [f"{key}={json.dumps(value)}" for key, value in (_TOY_CHANGES if setting.quick else {}).items()]
    common = [word for change in (f"out={setting.work}", *changes) for word in ("--set", change)]
    record.fact("labelling, s", _seconds(["label", "demo-train", "--quiet", *common]))
    train = ["train", "demo-train", "--quiet", "--device", setting.device, *common]
    if setting.quick:
        train += ["--set", "training.epochs=2"]
    record.fact("training, s", _seconds(train))
    for row in _validations(setting.work / _RUN):
        record.row("Held-out streets", **row)
    short = [*train, "--set", "training.epochs=4"]
    _seconds([*short, "--name", "alone"])
    record.fact(
        "stopped with exit code",
        _stopped([*short, "--name", "stopped"], setting.work / "training" / "stopped"),
    )
    _seconds([*short, "--name", "stopped"])
    alone, stopped = (setting.work / "training" / name for name in ("alone", "stopped"))
    record.fact("largest difference of weights, stopped beside alone", _apart(alone, stopped))
    for folder in (alone, stopped):
        record.row("Stopped beside alone", run=folder.name, **_validations(folder)[-1])


def _seconds(words: list[str]) -> float:
    """Run a command to its end; its wall time.

    Raises:
        RuntimeError: it failed; holds what it said.
    """
    started = time.perf_counter()
    ran = subprocess.run([*_COMMAND, *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"spotlabel {words[0]} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return time.perf_counter() - started


def _stopped(words: list[str], folder: Path) -> int:
    """Exit code of a training that gets SIGTERM after its first epoch.

    Raises:
        RuntimeError: it came to its end before.
    """
    process = subprocess.Popen([*_COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if len(_validations(folder)) > 1:
            os.kill(process.pid, signal.SIGTERM)
            return process.wait()
        time.sleep(0.05)
    raise RuntimeError(f"the run to be stopped ended by itself with {process.returncode}")


def _validations(folder: Path) -> list[dict[str, float]]:
    """Figures of a run by epoch, the untrained network's first; what is being written is left out."""
    path = folder / "metrics.jsonl"
    whole = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    rows = (json.loads(line) for line in whole)
    return [
        {"epoch": row["epoch"], **{name: row[name] for name in ("ap50", "ap70", "seg_iou") if name in row}}
        for row in rows
        if row["kind"] == "held_out"
    ]


def _apart(one: Path, other: Path) -> float:
    """Largest difference between two runs' last weights."""
    a, b = (load_file(folder / "last.safetensors") for folder in (one, other))
    return max(
        float((value.double() - b[name].double()).abs().max()) for name, value in a.items() if value.numel()
    )

"""Training on several nodes as Slurm starts it, with two torchruns of this machine for nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from spotlabel.detector.cli.train import _Stop
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.errors import Interrupted
from tests.conftest import ROOT
from tests.helpers import recipes
from tests.helpers.recipes import environment, spotlabel, write
from tests.helpers.training_data import scene, write_exact_masks

TRAINING: dict[str, Any] = {
    "base": "small",
    "canvas": [32, 64],
    "every": 1,
    "every_held_out": 4,
    "epochs": 8,
    "batch": 2,
    "pictures": 1,
    "held_out": ["b"],
}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose two videos have masks."""
    root = tmp_path_factory.mktemp("nodes")
    tree = recipes.tree(root / "data", root / "out", "a", "b", training=TRAINING)
    recipe = write(root / "recipe.yaml", tree)
    ran = spotlabel("label", recipe, "--quiet")
    assert ran.returncode == 0, ran.stderr
    return recipe


def one_node(recipe: Path, name: str) -> None:
    """Two processes under one torchrun."""
    script = recipe.parent / "run.py"
    script.write_text("from spotlabel.pipeline.cli import main; main()")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*launch, script, "train", recipe, "--name", name],
        capture_output=True, text=True, env=environment(OMP_NUM_THREADS="1"), timeout=240, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]


def slurm(folder: Path) -> dict[str, str]:
    """The environment of a job of two nodes, with commands that stand in for Slurm's and ours."""
    commands = {
        "srun": f'exec {sys.executable} {ROOT}/tests/helpers/fake_srun.py "$@"',
        "scontrol": f'echo "$@" >> {folder}/scontrol.log; echo 127.0.0.1',
        "torchrun": f'exec {sys.executable} -m torch.distributed.run "$@"',
        "spotlabel": f'exec {sys.executable} -c "from spotlabel.pipeline.cli import main; main()" "$@"',
    }
    places = folder / "bin"
    places.mkdir(exist_ok=True)
    for name, line in commands.items():
        (places / name).write_text(f"#!/bin/bash\n{line}\n")
        (places / name).chmod(0o755)
    return environment(
        OMP_NUM_THREADS="1",
        PATH=f"{places}{os.pathsep}{os.environ['PATH']}",
        SLURM_JOB_ID=str(os.getpid()),
        SLURM_JOB_NODELIST="node[1-2]",
        SLURM_JOB_NUM_NODES="2",
    )


def test_nodes_that_do_not_share_the_folder_are_refused(tmp_path: Path) -> None:
    class Apart(Group):
        def gather(self, value: Any) -> list[Any]:
            return [value, value + 8]

    videos = []
    for seed, name in enumerate("ab"):
        sequence = scene(name, seed=seed, width=96, height=64, frames=4)
        write_exact_masks(sequence, tmp_path / f"{name}.h5")
        videos.append((sequence, tmp_path / f"{name}.h5"))
    settings = TrainingSettings(**{**TRAINING, "canvas": (64, 96), "held_out": ("b",)})
    with pytest.raises(TrainingError, match=r"after step 8 there, others after step 0; `out` must lie on"):
        start(Asked(videos, settings, tmp_path), Apart(0, 2, torch.device("cpu")), lambda: False, Watcher())


@pytest.mark.parametrize(("seconds", "ends"), [(0.5, False), (5.0, True)])
def test_a_signal_told_twice_is_one_and_a_later_one_ends_at_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float, ends: bool
) -> None:
    now = [100.0]
    monkeypatch.setattr("spotlabel.detector.cli.train.time.monotonic", lambda: now[0])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = _Stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        now[0] += seconds
        with pytest.raises(Interrupted) if ends else nullcontext():
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_two_nodes_stopped_and_queued_again_end_where_one_node_with_two_processes_ends(
    labelled: Path, tmp_path: Path
) -> None:
    one_node(labelled, "one")
    runs = labelled.parent / "out" / "training"
    job = ["bash", str(ROOT / "workflows" / "slurm" / "train.sbatch"), str(labelled), "--name", "two"]
    process = subprocess.Popen(job, env=slurm(tmp_path), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not (runs / "two" / "pictures" / "epoch-001.jpg").exists():
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR1)  # the time is nearly up
    _, told = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "the state is saved; run the same command again to go on" in told
    log = (tmp_path / "scontrol.log").read_text().splitlines()
    assert log == ["show hostnames node[1-2]", f"requeue {os.getpid()}"]

    ran = subprocess.run(job, env=slurm(tmp_path), capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "going on after step" in ran.stderr
    for name in ("last.safetensors", "metrics.jsonl"):
        assert (runs / "two" / name).read_bytes() == (runs / "one" / name).read_bytes()
    assert len((tmp_path / "scontrol.log").read_text().splitlines()) == 3, "queued again without need"

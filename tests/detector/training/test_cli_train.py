"""``spotlabel train`` as a user runs it: prints, files, refusals, signals, several processes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from spotlabel.detector.model import load_model
from tests.helpers import recipes
from tests.helpers.recipes import command, environment, spotlabel, write

TRAINING: dict[str, Any] = {
    "base": "small",
    "canvas": [32, 64],
    "every": 1,
    "every_held_out": 2,
    "epochs": 2,
    "batch": 2,
    "held_out": ["b"],
}
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose two videos have masks."""
    root = tmp_path_factory.mktemp("train")
    recipe = write(
        root / "recipe.yaml", recipes.tree(root / "data", root / "out", "a", "b", training=TRAINING)
    )
    ran = spotlabel("label", recipe, "--quiet")
    assert ran.returncode == 0, ran.stderr
    return recipe


def out(recipe: Path) -> Path:
    return recipe.parent / "out"


def train(recipe: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return spotlabel("train", recipe, *arguments, **ONE_THREAD)


def test_a_run_prints_its_figures_and_where_things_are(labelled: Path) -> None:
    ran = train(labelled)
    assert ran.returncode == 0, ran.stderr
    table = ran.stdout.splitlines()
    assert table[0].split() == ["network", "epoch", "AP@0.5", "AP@0.7", "seg", "IoU"]
    assert [line.split()[0] for line in table[1:4]] == ["untrained", "best", "last"]
    folder = out(labelled) / "training" / "spotnet-paper"
    assert f"detector: {folder / 'best.safetensors'}" in ran.stdout
    assert load_model(folder / "best.safetensors")[1].backbone == "hourglass-tiny"
    again = train(labelled)
    assert again.returncode == 0
    assert again.stdout == ran.stdout


def test_a_dry_run_trains_nothing(labelled: Path) -> None:
    ran = train(labelled, "--name", "dry", "--dry-run")
    assert ran.returncode == 0
    assert "held_out" in ran.stdout
    assert "preset: spotnet-paper" in ran.stdout
    assert not (out(labelled) / "training" / "dry").exists()


def test_a_signal_saves_the_state_and_the_run_goes_on_from_it(labelled: Path) -> None:
    arguments = ("train", labelled, "--set", "training.epochs=4", "--name")
    whole = spotlabel(*arguments, "whole", **ONE_THREAD)
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(
        command(*arguments, "stopped"), env=environment(**ONE_THREAD), stderr=subprocess.PIPE, text=True
    )
    folder = out(labelled) / "training"
    picture, deadline = folder / "stopped" / "pictures" / "epoch-001.jpg", time.monotonic() + 120
    while not picture.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, told
    assert "run the same command again to go on" in told
    went_on = spotlabel(*arguments, "stopped", **ONE_THREAD)
    assert "going on after step" in went_on.stderr
    for name in ("last.safetensors", "metrics.jsonl"):
        assert (folder / "stopped" / name).read_bytes() == (folder / "whole" / name).read_bytes()


def test_two_processes_train_together(labelled: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    main = "from spotlabel.pipeline.cli import main; main()"
    script = labelled.parent / "run.py"
    script.write_text(main)
    ran = subprocess.run(
        [*launch, str(script), "train", str(labelled), "--name", "two"],
        capture_output=True,
        text=True,
        env=environment(**ONE_THREAD),
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    lines = (out(labelled) / "training" / "two" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if '"train"' in line]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) == 2 * (len(_usable(labelled)) // 4)
    assert ran.stdout.count("untrained") == 1


def _usable(recipe: Path) -> list[int]:
    split = json.loads((out(recipe) / "training" / "two" / "split.json").read_text())
    return list(range(split["train"]["a"]))


# --- refusals ----------------------------------------------------------------------------------------------


def refused(ran: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal is."""
    assert ran.returncode == 2, ran.stderr
    lines = ran.stderr.strip().splitlines()
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def test_missing_masks_are_named(tmp_path: Path) -> None:
    recipe = write(
        tmp_path / "r.yaml", recipes.tree(tmp_path / "data", tmp_path / "out", "a", "b", training=TRAINING)
    )
    assert "a: has no masks" in (line := refused(train(recipe)))
    assert "run `spotlabel label` with this recipe first (and 1 more videos like it)" in line


def test_masks_made_with_other_settings_are_refused(labelled: Path) -> None:
    line = refused(train(labelled, "--set", "masks.min_fill=0.33", "--name", "other"))
    assert (
        "a: its masks are stale (settings.min_fill: 0.2 -> 0.33); run `spotlabel label` or `relabel`" in line
    )


def test_frames_that_went_missing_are_refused(labelled: Path, tmp_path: Path) -> None:
    recipe = write(
        tmp_path / "r.yaml", recipes.tree(tmp_path / "data", tmp_path / "out", "a", "b", training=TRAINING)
    )
    assert spotlabel("label", recipe, "--quiet").returncode == 0
    (tmp_path / "data" / "a" / "img1" / "000012.jpg").unlink()
    assert "a" in refused(train(recipe))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.presett=x"], "training.presett: unknown key; did you mean 'preset'?"),
        (["--set", "training.held_out=[c]"], "training.held_out: no video 'c'; (known: a, b)"),
        (["--set", "training.init=none.safetensors"], "none.safetensors: no such model file"),
        (
            ["--set", "training.init=imagenet"],
            "ImageNet weights are for ResNet backbones, not hourglass-tiny",
        ),
        (["--set", "training.batch=500"], "one step needs 500 frames and there are only"),
        (["--set", "training.classes=[tram]"], "training.classes: no video has the class 'tram'"),
    ],
)
def test_what_cannot_be_trained_is_one_line(labelled: Path, arguments: list[str], message: str) -> None:
    assert message in refused(train(labelled, "--name", "refused", *arguments))


def test_nothing_is_saved_of_frames_that_changed_during_a_run(labelled: Path, tmp_path: Path) -> None:
    """Masks are of the frames that were hashed; other frames under them would be learnt in silence (R23)."""
    shutil.copytree(labelled.parent, tmp_path / "copy")
    tree = yaml.safe_load(labelled.read_text())
    recipe = write(
        tmp_path / "recipe.yaml",
        {**tree, "data": str(tmp_path / "copy" / "data"), "out": str(tmp_path / "copy" / "out")},
    )
    arguments = command("train", recipe, "--name", "edited", "--set", "training.epochs=60")
    process = subprocess.Popen(arguments, env=environment(**ONE_THREAD), stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "copy" / "out" / "training" / "edited"
    deadline = time.monotonic() + 120
    while not (folder / "best.safetensors").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    image = tmp_path / "copy" / "data" / "a" / "img1" / "000003.jpg"
    own = image.read_bytes()
    shutil.copy(image.with_name("000009.jpg"), image)
    image.write_bytes(own)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 2
    assert told.strip().splitlines()[-1] == f"error: {image}: changed while it was in use; run again"
    assert not (folder / "last.safetensors").exists()

"""Whole runs on small rendered streets: what is left behind, going on after a stop, what is refused."""

from __future__ import annotations

import dataclasses
import errno
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec, load_model
from spotlabel.detector.training import held_out, loop
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.run import describe, start
from spotlabel.detector.training.saving import enough_disk
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, read_progress
from spotlabel.detector.training.validation import Tally, tally
from spotlabel.pipeline.datasets.synthetic import SceneFrames
from spotlabel.pipeline.errors import FrameError, RecipeError, StoreError
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.validation import validated
from tests.conftest import ROOT
from tests.helpers.recipes import environment, leftovers
from tests.helpers.training_data import scene, write_exact_masks
from tests.helpers.training_runs import ALONE, after, asked, metrics, never


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(videos: list[tuple[Sequence, Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from beginning to end."""
    folder = tmp_path_factory.mktemp("whole")
    assert start(asked(videos, folder), ALONE, never, Watcher())
    return folder


# --- what is left behind -----------------------------------------------------------------------------------


def test_a_run_leaves_detectors_metrics_pictures_and_its_split(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {"best.safetensors", "last.safetensors", "state.safetensors", "metrics.jsonl"} <= names
    assert {"split.json", "settings.yaml", "pictures"} <= names
    assert sorted(p.name for p in (whole / "pictures").iterdir()) == [f"epoch-00{k}.jpg" for k in range(3)]
    assert json.loads((whole / "split.json").read_text())["held_out"] == {"b": 4}
    assert load_model(whole / "best.safetensors")[1].preset == "spotnet-multitask"
    assert not leftovers(whole)


def test_metrics_hold_every_step_and_every_epoch(whole: Path) -> None:
    train = [entry for entry in metrics(whole) if entry["kind"] == "train"]
    held_out = [entry for entry in metrics(whole) if entry["kind"] == "held_out"]
    assert [entry["step"] for entry in train] == list(range(1, 9))
    assert {"total", "hm", "wh", "reg", "seg", "lr", "gradient"} <= train[0].keys()
    assert [entry["epoch"] for entry in held_out] == [0, 1, 2]
    assert {"ap50", "ap70", "seg_iou"} <= held_out[-1].keys()


def test_tensorboard_shows_what_the_metrics_hold(whole: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(whole / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("train/total")]
    written = [(e["step"], e["total"]) for e in metrics(whole) if e["kind"] == "train"]
    assert shown == [(step, pytest.approx(value, rel=1e-6)) for step, value in written]
    assert [event.step for event in events.Images("held out")] == [0, 4, 8]


def test_losses_fall(videos: list[tuple[Sequence, Path]], tmp_path: Path) -> None:
    start(asked(videos, tmp_path, epochs=8, crop="whole", colour=False), ALONE, never, Watcher())
    totals = [entry["total"] for entry in metrics(tmp_path) if entry["kind"] == "train"]
    assert sum(totals[-4:]) < 0.5 * sum(totals[:4])


def test_a_detector_without_segmentation_trains_too(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    assert start(asked(videos, tmp_path, preset="centernet", epochs=1), ALONE, never, Watcher())
    assert "seg_iou" not in metrics(tmp_path)[-1]


# --- going on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path, steps: int
) -> None:
    assert not start(asked(videos, tmp_path), ALONE, after(steps), Watcher())
    assert read_progress(tmp_path / "state.safetensors").step == steps
    assert start(asked(videos, tmp_path), ALONE, never, Watcher())
    assert metrics(tmp_path) == metrics(whole)
    for name in ("state.safetensors", "best.safetensors", "last.safetensors"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_steps_after_the_saved_state_are_forgotten(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path
) -> None:
    start(asked(videos, tmp_path), ALONE, after(3), Watcher())
    with (tmp_path / "metrics.jsonl").open(
        "a"
    ) as file:  # as if killed two steps later, in the middle of a line
        file.write('{"kind": "train", "step": 4, "total": 1.0}\n{"kind": "tra')
    start(asked(videos, tmp_path), ALONE, never, Watcher())
    assert metrics(tmp_path) == metrics(whole)


def test_a_finished_run_is_left_alone(videos: list[tuple[Sequence, Path]], whole: Path) -> None:
    before = {path: path.read_bytes() for path in whole.glob("*.*")}
    assert start(asked(videos, whole), ALONE, never, Watcher())
    assert {path: path.read_bytes() for path in whole.glob("*.*")} == before


def test_other_settings_in_the_same_folder_are_refused(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    start(asked(videos, tmp_path), ALONE, after(1), Watcher())
    with pytest.raises(TrainingError, match=r"holds a run with other settings \(lr\); choose another --name"):
        start(asked(videos, tmp_path, lr=1e-4), ALONE, never, Watcher())
    assert not start(asked(videos, tmp_path, again=True, lr=1e-4), ALONE, after(1), Watcher())


def test_loader_processes_do_not_change_the_run(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path
) -> None:
    start(asked(videos, tmp_path, workers=2), ALONE, never, Watcher())
    assert (tmp_path / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_a_kill_while_saving_costs_nothing(tmp_path: Path) -> None:
    """R18 with 20 kills; ``tests/helpers/save_child.py FOLDER 100`` is the campaign."""
    child = [sys.executable, str(ROOT / "tests" / "helpers" / "save_child.py"), str(tmp_path), "20"]
    ran = subprocess.run(
        child, capture_output=True, text=True, env=environment(OMP_NUM_THREADS="1"), timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("20 kills")


def test_what_a_killed_run_was_writing_is_cleared_away(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    start(asked(videos, tmp_path), ALONE, after(1), Watcher())
    (tmp_path / ".state.safetensors.abc.partial").write_bytes(b"half")
    start(asked(videos, tmp_path), ALONE, after(1), Watcher())
    assert not leftovers(tmp_path)


def test_a_state_is_kept_though_the_validation_fails(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([None, StoreError("b.h5: damaged")])

    def tally_or_fail(*arguments: Any) -> Tally:
        if error := next(calls, None):
            raise error
        return tally(*arguments)

    monkeypatch.setattr(held_out, "tally", tally_or_fail)
    with pytest.raises(StoreError, match="damaged"):
        start(asked(videos, tmp_path), ALONE, never, Watcher())
    assert read_progress(tmp_path / "state.safetensors").step == 4
    assert start(asked(videos, tmp_path), ALONE, never, Watcher())
    assert metrics(tmp_path) == metrics(whole)


def test_a_run_that_was_killed_before_its_first_save_begins_anew(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path
) -> None:
    start(asked(videos, tmp_path), ALONE, after(1), Watcher())
    (tmp_path / "state.safetensors").unlink()
    start(asked(videos, tmp_path), ALONE, never, Watcher())
    assert metrics(tmp_path) == metrics(whole)


def test_masks_that_changed_since_are_not_gone_on_with(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    masks = tmp_path / "masks" / "a.h5"
    write_exact_masks(videos[0][0], masks)
    mine = [(videos[0][0], masks), videos[1]]
    start(asked(mine, tmp_path / "run"), ALONE, after(1), Watcher())
    write_exact_masks(videos[0][0], masks, warm_up=0, foreground=False)
    with pytest.raises(TrainingError, match=r"other settings \(masks\)"):
        start(asked(mine, tmp_path / "run"), ALONE, never, Watcher())


def test_loader_processes_killed_by_the_same_signal_cost_nothing(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path
) -> None:
    steps = iter(range(100))

    def kill_the_loader() -> bool:
        if next(steps) < 2:
            return False
        for child in psutil.Process().children(recursive=True):
            if "forkserver" in " ".join(child.cmdline()):
                child.terminate()
        return True

    assert not start(asked(videos, tmp_path, workers=1), ALONE, kill_the_loader, Watcher())
    assert start(asked(videos, tmp_path), ALONE, never, Watcher())
    assert (tmp_path / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def batches_until(message: str, *, stopped: bool) -> list[object]:
    """What is left of an epoch whose loader ends with an error of torch."""

    def epoch(*_: int) -> Iterator[object]:
        yield "batch"
        raise RuntimeError(message)

    run = SimpleNamespace(batches=SimpleNamespace(epoch=epoch), stop=lambda: stopped)
    return list(loop._batches(run, Progress(step=6)))  # type: ignore[arg-type]


def test_a_loader_process_killed_by_something_else_is_one_line() -> None:
    killed = "DataLoader worker (pid(s) 1234) exited unexpectedly"
    assert batches_until(killed, stopped=True) == ["batch", None]
    with pytest.raises(TrainingError, match=r"step 7: a loader process was killed.*training\.workers"):
        batches_until(killed, stopped=False)
    with pytest.raises(RuntimeError, match="Caught"):
        batches_until("Caught RuntimeError in DataLoader worker process 0.", stopped=True)


# --- validation now and then -------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "epochs"), [(2, [0, 2, 3]), (5, [0, 3])])
def test_validation_every_so_many_epochs_and_at_the_end(
    videos: list[tuple[Sequence, Path]], tmp_path: Path, every: int, epochs: list[int]
) -> None:
    often, rare = tmp_path / "often", tmp_path / "rare"
    start(asked(videos, often, epochs=3), ALONE, never, Watcher())
    assert start(asked(videos, rare, epochs=3, validate_every=every), ALONE, never, Watcher())
    looked = {entry["epoch"]: entry for entry in metrics(often) if entry["kind"] == "held_out"}
    rows = metrics(rare)
    assert [entry for entry in rows if entry["kind"] == "held_out"] == [looked[epoch] for epoch in epochs]
    assert [e for e in rows if e["kind"] == "train"] == [e for e in metrics(often) if e["kind"] == "train"]
    assert [int(p.stem[-3:]) for p in sorted((rare / "pictures").iterdir())] == epochs
    assert (rare / "last.safetensors").read_bytes() == (often / "last.safetensors").read_bytes()


def test_the_best_detector_is_the_best_of_those_looked_at(
    videos: list[tuple[Sequence, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([0.1, 0.6, 0.5])  # untrained, after epochs 2 and 4
    monkeypatch.setattr(Tally, "figures", lambda _: {"ap50": 0.0, "ap70": next(figures)})
    start(asked(videos, tmp_path / "whole", epochs=4, validate_every=2, ema=0), ALONE, never, Watcher())
    monkeypatch.undo()
    start(asked(videos, tmp_path / "half", epochs=4, ema=0), ALONE, after(8), Watcher())
    best, _ = load_model(tmp_path / "whole" / "best.safetensors")
    state = load_file(tmp_path / "half" / "state.safetensors")
    assert read_progress(tmp_path / "whole" / "state.safetensors").best == 0.6
    for name, value in best.state_dict().items():
        assert torch.equal(value, state[f"network.{name}"]), name


@pytest.mark.parametrize("steps", [4, 8])
def test_a_run_that_validates_now_and_then_goes_on_to_the_same_bytes(
    videos: list[tuple[Sequence, Path]], tmp_path: Path, steps: int
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder, stop in ((whole, never), (stopped, after(steps)), (stopped, never)):
        start(asked(videos, folder, epochs=3, validate_every=2), ALONE, stop, Watcher())
    assert metrics(stopped) == metrics(whole)
    for name in ("state.safetensors", "best.safetensors", "last.safetensors"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name


# --- what is refused ---------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run(videos: list[tuple[Sequence, Path]], tmp_path: Path) -> None:
    settings = {"lr": 1e30, "optimiser": "adam", "clip": 0.0, "warm_up": 0}
    with pytest.raises(TrainingError, match=r"step \d: the loss \w+ is (nan|inf)"):
        start(asked(videos, tmp_path, **settings), ALONE, never, Watcher())


def test_a_split_without_objects_is_refused(videos: list[tuple[Sequence, Path]], tmp_path: Path) -> None:
    empty = scene("b", width=96, height=64, frames=4, density=0, parked_car=False, starter=False)
    write_exact_masks(empty, tmp_path / "b.h5")
    with pytest.raises(TrainingError, match="the frames to validate on hold no object of the classes object"):
        start(asked([videos[0], (empty, tmp_path / "b.h5")], tmp_path / "run"), ALONE, never, Watcher())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_frame_that_cannot_be_read_is_one_line(
    videos: list[tuple[Sequence, Path]], tmp_path: Path, workers: int
) -> None:
    sequence, masks = videos[0]
    broken = dataclasses.replace(sequence, frames=Broken(sequence.frames.settings))
    with pytest.raises(FrameError) as caught:
        start(asked([(broken, masks), videos[1]], tmp_path, workers=workers), ALONE, never, Watcher())
    assert str(caught.value) == "a/000005.jpg: cut short"


class Broken(SceneFrames):
    """Frames of which one cannot be read."""

    def __reduce__(self) -> tuple[type[Broken], tuple[Any]]:
        return Broken, (self.settings,)

    def read(self, index: int) -> Any:
        if index == 5:
            raise FrameError("a/000005.jpg: cut short")
        return super().read(index)


@pytest.mark.parametrize("what", ["write_image", "save_model"])
def test_a_disk_that_is_full_is_one_line(
    videos: list[tuple[Sequence, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(held_out, what, full)
    with pytest.raises(TrainingError, match=r"run: could not be written to .No space left on device; .*free"):
        start(asked(videos, tmp_path / "run", epochs=1), ALONE, never, Watcher())


def test_another_error_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), enough_disk(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_fewer_frames_than_a_step_needs_are_refused(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="one step needs 64 frames and there are only 8"):
        start(asked(videos, tmp_path, batch=64), ALONE, never, Watcher())


def test_a_canvas_that_does_not_fit_the_network_is_refused(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="64x96: spotnet2 on hourglass-tiny needs multiples of 64"):
        start(asked(videos, tmp_path, preset="spotnet2"), ALONE, never, Watcher())


def test_a_damaged_state_is_refused(videos: list[tuple[Sequence, Path]], tmp_path: Path) -> None:
    start(asked(videos, tmp_path), ALONE, after(1), Watcher())
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(TrainingError, match=r"state\.safetensors: damaged"):
        start(asked(videos, tmp_path), ALONE, never, Watcher())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"presett": "x"}, "training.presett: unknown key; did you mean 'preset'"),
        ({"preset": "spotnet3"}, "training.preset: expected one of centernet"),
        ({"backbone": "resnet9"}, "training.backbone: expected one of"),
        ({"canvas": [100, 100]}, "training.canvas: expected height and width in multiples of 32"),
        ({"base": "old"}, "training: base: expected one of modern, small, released"),
        ({"lr": -1}, "training.lr"),
        ({"compile": True, "checkpoint_activations": True}, "compile and checkpoint_activations do not go"),
    ],
)
def test_bad_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        validated(TrainingSettings, values, "training")


def test_the_released_recipe_can_be_changed_in_parts() -> None:
    found = validated(TrainingSettings, {"base": "released", "batch": 4}, "training")
    assert (found.optimiser, found.lr, found.batch, found.ignore_mode) == ("adam", 1e-5, 4, "none")


def test_a_dry_run_says_what_would_be_trained(videos: list[tuple[Sequence, Path]], tmp_path: Path) -> None:
    wanted = asked(videos, tmp_path)
    found = describe(wanted)
    assert found["frames"] == {"train": 8, "held_out": 4, "steps": 8}
    assert found["network"]["parameters"] == sum(
        p.numel()
        for p in ModelSpec(preset="spotnet-multitask", backbone="hourglass-tiny").build().parameters()
    )


# --- starting from weights ---------------------------------------------------------------------------------


class Notes(Watcher):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    def validated(self, epoch: int, figures: Mapping[str, float], best: bool) -> None:
        self.texts.append(f"{epoch} {figures['ap50']:.3f}")


def test_a_run_can_start_from_another_preset(
    videos: list[tuple[Sequence, Path]], whole: Path, tmp_path: Path
) -> None:
    notes = Notes()
    init = str(whole / "last.safetensors")
    start(asked(videos, tmp_path, preset="spotnet-paper", init=init, epochs=1), ALONE, after(1), notes)
    assert notes.texts[0].startswith(
        "last.safetensors (spotnet-multitask on hourglass-tiny) into spotnet-paper on hourglass-tiny: copied "
    )

"""States written in the background: what is in them, what waits for them, and what becomes of errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.training import saving
from spotlabel.detector.training.loop import new_trained
from spotlabel.detector.training.saving import StateWriter
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, State, Trained, read_progress, save_state, write_state
from spotlabel.pipeline.errors import Interrupted


class Gate:
    """Lets the writer write when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.error = error

    def write(self, path: Path, state: State) -> None:
        self.reached.set()
        assert self.opened.wait(20)
        if self.error is not None:
            raise self.error
        write_state(path, state)


def gate(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> Gate:
    made = Gate(error)
    monkeypatch.setattr(saving, "write_state", made.write)
    return made


@pytest.fixture
def trained() -> Iterator[Trained]:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    made = new_trained(network, TrainingSettings())  # type: ignore[arg-type]
    learn(made)
    yield made
    assert not [thread for thread in threading.enumerate() if thread.name == "state"]


def forward(made: Trained) -> None:
    made.network(torch.ones(2, 3, 8, 8)).square().sum().backward()


def learn(made: Trained) -> None:
    forward(made)
    made.optimiser.step()
    assert made.averaged is not None
    made.averaged.update(made.network)


def silent(text: str) -> None:
    raise AssertionError(text)


def test_a_state_is_that_of_its_moment_whatever_is_trained_meanwhile(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path / "wanted", trained, Progress(step=3))
    held = gate(monkeypatch)
    with StateWriter(tmp_path / "found", trained, silent) as states:
        states.save(Progress(step=3))
        assert held.reached.wait(20)
        forward(trained)  # changes the statistics
        opening = threading.Timer(0.2, held.opened.set)
        opening.start()
        learn(trained)
        assert held.opened.is_set(), "the step did not wait"
        assert (tmp_path / "found").exists()
    assert (tmp_path / "found").read_bytes() == (tmp_path / "wanted").read_bytes()


def test_nothing_but_statistics_is_copied_on_a_cpu(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[State] = []
    monkeypatch.setattr(saving, "write_state", lambda _path, state: seen.append(state))
    with StateWriter(tmp_path / "state", trained, silent) as states:
        states.save(Progress())
    own = {tensor.data_ptr() for tensor in State.of(trained, Progress()).tensors.values()}
    copied = {name for name, tensor in seen[0].tensors.items() if tensor.data_ptr() not in own}
    assert copied == {f"network.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}


def test_the_end_waits_for_the_writer(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = gate(monkeypatch)
    with StateWriter(tmp_path / "state", trained, silent) as states:
        states.save(Progress(step=7))
        threading.Timer(0.2, held.opened.set).start()
    assert read_progress(tmp_path / "state").step == 7


def test_the_second_state_waits_for_the_first(trained: Trained, tmp_path: Path) -> None:
    with StateWriter(tmp_path / "state", trained, silent) as states:
        for step in range(5):
            states.save(Progress(step=step))
    assert read_progress(tmp_path / "state").step == 4


@pytest.mark.parametrize("where", ["step", "save", "end"])
def test_an_error_of_the_writer_ends_the_run(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    gate(monkeypatch, TrainingError("state: the disk is full")).opened.set()
    reached: list[str] = []

    def run() -> None:
        with StateWriter(tmp_path / "state", trained, silent) as states:
            states.save(Progress())
            if where == "step":
                learn(trained)
            if where == "save":
                states.save(Progress())
            reached.append("end")

    with pytest.raises(TrainingError, match="the disk is full"):
        run()
    assert reached == (["end"] if where == "end" else [])


def ended_by(trained: Trained, path: Path, error: BaseException, told: list[str]) -> StateWriter:
    """A writer whose run ends with an error while a state is written."""
    states = StateWriter(path, trained, told.append)

    def run() -> None:
        with states:
            states.save(Progress())
            raise error

    with pytest.raises(type(error)):
        run()
    return states


def test_an_error_of_the_writer_is_told_beside_another_one(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate(monkeypatch, TrainingError("state: the disk is full")).opened.set()
    told: list[str] = []
    ended_by(trained, tmp_path / "state", ValueError("of the run"), told)
    assert told == ["state: the disk is full"]


def test_a_second_signal_does_not_wait(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = gate(monkeypatch)
    states = ended_by(trained, tmp_path / "state", Interrupted(2), [])
    assert not (tmp_path / "state").exists()
    held.opened.set()
    states.wait()

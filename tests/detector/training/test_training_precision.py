"""Where training and detection compute in bfloat16 without being told to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.prediction.engine import computes_bf16
from spotlabel.detector.training import run
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.run import start
from spotlabel.pipeline.sequence import Sequence
from tests.helpers.training_runs import ALONE, after, asked, never

Videos = list[tuple[Sequence, Path]]


class Notes(Watcher):
    """What was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.texts.append(text)

    def about(self, word: str) -> list[str]:
        """What was told that has a word in it."""
        return [text for text in self.texts if word in text]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """This processor shall be fast at bfloat16."""
    monkeypatch.setattr(run, "computes_bf16", lambda _device: True)


@pytest.mark.parametrize(("capability", "fits"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_gpus_from_ampere_on_compute_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], fits: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert computes_bf16(torch.device("cuda:0")) == fits
    assert not computes_bf16(torch.device("cpu"))


def test_a_cpu_stays_in_single_precision(videos: Videos, tmp_path: Path) -> None:
    plain, told = tmp_path / "plain", Notes()
    start(asked(videos, tmp_path, epochs=1), ALONE, never, told)
    start(asked(videos, plain, epochs=1, bf16=False), ALONE, never, Watcher())
    assert not told.about("bf16")
    assert settings(tmp_path)["bf16"] is False
    for name in ("last.safetensors", "state.safetensors"):
        assert (tmp_path / name).read_bytes() == (plain / name).read_bytes()


@pytest.mark.usefixtures("fast")
def test_a_device_that_is_fast_at_it_is_used_so_unless_told_otherwise(videos: Videos, tmp_path: Path) -> None:
    told = Notes()
    for name, bf16 in (("auto", "auto"), ("true", True), ("false", False)):
        start(asked(videos, tmp_path / name, epochs=1, bf16=bf16), ALONE, never, told)
    assert told.about("bf16") == [
        "in bfloat16, which this GPU is fast at (training.bf16=false for single precision)"
    ]
    auto, narrow, single = (
        (tmp_path / name / "last.safetensors").read_bytes() for name in ("auto", "true", "false")
    )
    assert auto == narrow != single
    assert settings(tmp_path / "auto")["bf16"] is True


def test_a_run_goes_on_as_it_was_begun_and_says_so(
    videos: Videos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(asked(videos, tmp_path / "whole", epochs=1, bf16=True), ALONE, never, Watcher())
    monkeypatch.setattr(run, "computes_bf16", lambda _device: True)
    start(asked(videos, tmp_path / "moved", epochs=1), ALONE, after(2), Watcher())
    monkeypatch.undo()
    told = Notes()
    assert start(asked(videos, tmp_path / "moved", epochs=1), ALONE, never, told)
    assert told.about("bf16") == [
        "going on in bfloat16, as this run was begun; training.bf16=false needs another --name"
    ]
    found, wanted = ((tmp_path / name / "last.safetensors").read_bytes() for name in ("moved", "whole"))
    assert found == wanted


@pytest.mark.usefixtures("fast")
def test_a_run_of_single_precision_stays_so_on_a_faster_device(videos: Videos, tmp_path: Path) -> None:
    start(asked(videos, tmp_path, epochs=1, bf16=False), ALONE, after(2), Watcher())
    told = Notes()
    start(asked(videos, tmp_path, epochs=1), ALONE, after(1), told)
    assert told.about("bf16") == [
        "going on in single precision, as this run was begun; training.bf16=true needs another --name"
    ]
    with pytest.raises(TrainingError, match=r"other settings \(bf16\)"):
        start(asked(videos, tmp_path, epochs=1, bf16=True), ALONE, never, Watcher())
    again = Notes()
    start(asked(videos, tmp_path, again=True, epochs=1), ALONE, after(1), again)
    assert again.about("in bfloat16")


def settings(folder: Path) -> dict[str, object]:
    """What a run's folder says of its settings."""
    found: dict[str, object] = yaml.safe_load((folder / "settings.yaml").read_text())
    return found

"""Detectors as files: what is written is what is read, and nothing else is taken for a detector."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.model import ModelSpec, load_model, read_model, save_model
from spotlabel.pipeline.atomic import write_atomically
from tests.helpers.recipes import leftovers

SPEC = ModelSpec(preset="spotnet-multitask", backbone="hourglass-tiny", class_names=("car", "bus"))


def saved(folder: Path, spec: ModelSpec = SPEC) -> Path:
    torch.manual_seed(0)
    path = folder / "model.safetensors"
    save_model(path, spec.build(), spec)
    return path


def test_a_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SPEC.build()
    found, spec = load_model(saved(tmp_path))
    assert spec == SPEC
    assert not found.training
    for name, value in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_given_weights_replace_the_networks_own(tmp_path: Path) -> None:
    network = SPEC.build()
    bias = torch.tensor([1.0, 2.0])
    save_model(tmp_path / "m.safetensors", network, SPEC, {"hm.0.1.bias": bias})
    assert torch.equal(load_model(tmp_path / "m.safetensors")[0].state_dict()["hm.0.1.bias"], bias)


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert saved(tmp_path).read_bytes() == saved(tmp_path / "b").read_bytes()


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"state_dict": SPEC.build().state_dict()}, path)
    with pytest.raises(CheckpointError, match="not readable as safetensors"):
        load_model(path)


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a model of spotlabel"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.safetensors: no such model file"):
        load_model(tmp_path / "nothing.safetensors")


def test_a_cut_file_is_refused_at_any_length(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    for length in (0, 7, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            load_model(path)


@pytest.mark.parametrize(
    ("written", "claimed", "message"),
    [
        ("spotnet-multitask", "centernet", "holds seg"),
        ("centernet", "spotnet-multitask", "has no weights seg"),
    ],
)
def test_weights_of_another_preset_are_named(
    tmp_path: Path, written: str, claimed: str, message: str
) -> None:
    path = tmp_path / "model.safetensors"
    real, other = (SPEC.model_copy(update={"preset": name}) for name in (written, claimed))
    save_model(path, real.build(), other)
    assert read_model(path)[0].preset == claimed
    with pytest.raises(CheckpointError, match=message):
        load_model(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spotlabel.pipeline.atomic.os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert not leftovers(tmp_path)

"""Detectors and training states carry digests: no flipped bit is computed with, older files still load."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import nn

from spotlabel.detector import tensor_file
from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import FORMAT, ModelSpec, load_model, save_model
from spotlabel.detector.tensor_file import DamagedError, as_bytes, read, write
from spotlabel.detector.training.loop import new_trained
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import FORMAT as STATE_FORMAT
from spotlabel.detector.training.state import Progress, Trained, load_state, read_progress, save_state

SPEC = ModelSpec(preset="centernet", backbone="hourglass-tiny", class_names=("car",))
TENSORS = {
    "b": torch.tensor([[1.5, -2.0], [0.25, 3.0]]),
    "a": torch.tensor(7),
    "half": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "none": torch.zeros(0, 3),
    "flags": torch.tensor([True, False, True]),
}


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def sampled(content: bytes, count: int) -> list[int]:
    """Bits of the header and of the tensors, half of each."""
    draw, header = random.Random(3), 8 * (8 + int.from_bytes(content[:8], "little"))
    spans = (range(header), range(header, 8 * len(content)))
    return [bit for span in spans for bit in draw.sample(span, count // 2)]


def trained() -> Trained:
    return new_trained(nn.Linear(30, 20), TrainingSettings())  # type: ignore[arg-type]


def test_facts_and_tensors_read_back(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(as_bytes("thing 1", {"names": ("x", "y"), "odd": {10: 1.5, 9: None}}, TENSORS))
    facts, tensors = read(path, "thing 1")
    assert facts == {"names": ["x", "y"], "odd": {"10": 1.5, "9": None}}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())
    assert read(path, "thing 1", with_tensors=False) == (facts, {})
    with pytest.raises(ValueError, match="expected 'thing 2', the file holds thing 1"):
        read(path, "thing 2")


@pytest.mark.parametrize("count", range(5))
def test_the_file_is_what_safetensors_itself_writes(tmp_path: Path, count: int) -> None:
    """Byte for byte, with tensors of every type, of odd sizes, empty, transposed and with odd names."""
    kinds = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.float16, torch.bfloat16, torch.int32,
             torch.float32, torch.float64, torch.int64)  # fmt: skip
    tensors = {f"{count} {kind}": torch.arange(count + 1).to(kind) for kind in kinds}
    tensors |= {'\u00e9 "quoted"': torch.arange(6.0).reshape(2, 3).t(), "none": torch.zeros(0, 2)}
    tensors["last"] = torch.randn(1, 2, 3, 4).to(memory_format=torch.channels_last)
    path = tmp_path / "x.safetensors"
    write(path, "thing 1", {"name": "\u00e9"}, tensors)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        assert sorted(file.keys()) == sorted(tensors)
        assert {name: file.get_tensor(name).tolist() for name in tensors} == {
            name: value.tolist() for name, value in tensors.items()
        }
    plain = {name: value.contiguous() for name, value in tensors.items()}
    assert path.read_bytes() == save(plain, metadata) == as_bytes("thing 1", {"name": "\u00e9"}, tensors)


def test_a_write_that_fails_leaves_the_file_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    write(path, "thing 1", {}, TENSORS)
    before = path.read_bytes()

    def full(_: object) -> memoryview:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_file, "_content", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, "thing 1", {"changed": True}, TENSORS)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["x.safetensors"]


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    content = as_bytes("thing 1", {"step": 3}, {"w": torch.tensor([1.0, 2.0])})
    for bit in range(8 * len(content)):
        path.write_bytes(flipped(content, bit))
        with pytest.raises((ValueError, SafetensorError)):
            read(path, "thing 1")


def test_a_flipped_bit_in_a_detector_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, SPEC.build(), SPEC)
    content = path.read_bytes()
    for bit in sampled(content, 40):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(CheckpointError, match=r"m\.safetensors: ") as caught:
            load_model(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(flipped(content, 8 * len(content) - 2))
    with pytest.raises(CheckpointError, match=r"damaged: its tensors are not those that were written"):
        load_model(path)
    path.write_bytes(content)
    assert load_model(path)[1] == SPEC


def test_a_flipped_bit_in_a_training_state_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, trained(), Progress(step=5))
    content = path.read_bytes()
    for bit in sampled(content, 200):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(TrainingError, match=r"state\.safetensors: damaged"):
            load_state(path, trained())
    path.write_bytes(content)
    assert load_state(path, trained()).step == 5


def test_how_far_a_run_has_come_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, trained(), Progress(step=5, epoch=1))
    content = path.read_bytes()
    path.write_bytes(content.replace(rb"\"epoch\": 1", rb"\"epoch\": 9"))
    assert path.read_bytes() != content
    with pytest.raises(TrainingError, match="its header is not the one that was written"):
        read_progress(path)


def test_a_detector_of_an_older_version_loads_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "old.safetensors"
    facts = {"format": FORMAT, "facts": SPEC.model_dump(mode="json")}
    save_file(SPEC.build().state_dict(), path, {"spotlabel": json.dumps(facts)})
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert load_model(path)[1] == SPEC
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: of an older version, without digests: damage to it cannot be seen"
    ]


def test_a_digest_cannot_be_lost_by_damage_to_its_name(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    content = as_bytes("thing 1", {}, {"w": torch.zeros(2)})
    for name in (rb"\"digest\"", rb"\"tensors\""):
        assert name in content
        path.write_bytes(content.replace(name, name.replace(b"e", b"d", 1)))
        with pytest.raises(DamagedError):
            read(path, "thing 1")
    path.write_bytes(save({"w": torch.zeros(2)}))
    with pytest.raises(ValueError, match="says nothing of spotlabel"):
        read(path, "thing 1")


@pytest.mark.parametrize(
    "facts",
    [
        {"progress": {"step": True}, "updates": 0},
        {"progress": {"step": -1}, "updates": 0},
        {"progress": {"best": float("inf")}, "updates": 0},
        {"progress": {"settings": []}, "updates": 0},
        {"progress": {"x": 1}, "updates": 0},
        {"progress": {}, "updates": -1},
        {"progress": {}},
        [],
    ],
)
def test_a_state_of_impossible_figures_is_one_line(tmp_path: Path, facts: object) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(as_bytes(STATE_FORMAT, facts, {}))
    with pytest.raises(TrainingError, match="no state of a training run") as told:
        read_progress(path)
    assert "\n" not in str(told.value)


def test_a_state_with_a_tensor_of_no_part_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(as_bytes(STATE_FORMAT, {"progress": {}, "updates": 0}, {"x.y": torch.zeros(1)}))
    with pytest.raises(TrainingError, match="the state of another network"):
        load_state(path, trained())


def test_no_network_is_made_for_weights_that_do_not_fit_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file that says it is a large network would cost seconds and gigabytes."""
    path, made = tmp_path / "m.safetensors", []
    own = nn.Conv2d.reset_parameters
    monkeypatch.setattr(
        nn.Conv2d, "reset_parameters", lambda layer: (made.append(layer.weight.device.type), own(layer))[1]
    )
    large = {**SPEC.model_dump(mode="json"), "backbone": "hourglass-104"}
    path.write_bytes(as_bytes(FORMAT, large, {"x": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match="has no weights"):
        load_model(path)
    assert set(made) == {"meta"}

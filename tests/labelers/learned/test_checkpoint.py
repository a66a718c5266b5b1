"""Folders that hold SAM's kinds: what counts of them, and each way in which one cannot be used, in a line."""

from __future__ import annotations

import importlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned import checkpoint
from spotlabel.labelers.learned.checkpoint import lacking, opened
from spotlabel.labelers.learned.segmenter import box_segmenter, content_digest
from tests.helpers.sam_folders import KINDS, sam_folder

torch = pytest.importorskip("torch", reason="needs spotlabel[sam]")
transformers = pytest.importorskip("transformers", reason="needs spotlabel[sam]")
huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs spotlabel[sam]")
CONFIG, IMAGE = "config.json", "preprocessor_config.json"
TOKEN = "mask_decoder.iou_token.weight"


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the weights of a folder."""
    from safetensors.torch import load_file, save_file

    weights = {name: values.clone() for name, values in load_file(folder / "model.safetensors").items()}
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def said(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file of a folder."""
    entries = json.loads((folder / name).read_text())
    change(entries)
    (folder / name).write_text(json.dumps(entries))


def with_entries(name: str, part: str = "", **entries: Any) -> Callable[[Path], None]:
    """What changes entries of a JSON file, or of one part of it."""
    return lambda folder: said(folder, name, lambda all_: (all_[part] if part else all_).update(entries))


def without(name: str, entry: str) -> Callable[[Path], None]:
    """What takes an entry out of a JSON file."""
    return lambda folder: said(folder, name, lambda entries: entries.pop(entry))


def with_weights(**weights: Any) -> Callable[[Path], None]:
    """What changes weights."""
    return lambda folder: rewritten(folder, lambda entries: entries.update(weights))


def holding(name: str, content: bytes) -> Callable[[Path], None]:
    """What writes a file."""
    return lambda folder: (folder / name).write_bytes(content) and None


def shortened(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([CONFIG, IMAGE, "model.safetensors", "sam2.1_hiera_tiny.pt"], ""),
        (
            [CONFIG, IMAGE, "pytorch_model.bin"],
            "lacks model.safetensors: pytorch_model.bin is a pickle, which is never opened; "
            "save it as safetensors",
        ),
        (
            [CONFIG, IMAGE, "model.safetensors.index.json", "pytorch_model.bin"],
            "lacks model.safetensors: its weights are in several files; save them as one (max_shard_size)",
        ),
        (
            ["model.safetensors", "README.md"],
            "lacks config.json and preprocessor_config.json; expected SAM, SAM 2 or EdgeTAM in Hugging "
            "Face's layout (docs/learned.md)",
        ),
    ],
)
def test_what_a_folder_lacks_is_told_from_the_names_in_it(names, problem):
    assert lacking(names) == problem


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (
            with_entries(CONFIG, model_type="bert"),
            r"config.json: model_type: expected one of sam, sam2, sam2_video, edgetam, "
            r"edgetam_video, got 'bert'$",
        ),
        (without(CONFIG, "model_type"), "config.json: model_type: Field required"),
        (holding(CONFIG, b"{"), "config.json is no JSON: Expecting"),
        (holding(CONFIG, b"[]"), "config.json: Input should be a valid dict"),
        (
            with_entries(CONFIG, "mask_decoder_config", num_attention_heads="x"),
            "config.json cannot be used: .*num_attention_heads",
        ),
        (
            with_entries(CONFIG, "mask_decoder_config", num_hidden_layers=2),
            r"model.safetensors does not fit config.json: it lacks mask_decoder\.\S+ and \d+ more$",
        ),
        (without(IMAGE, "image_mean"), "preprocessor_config.json: image_mean: Field required"),
        (with_entries(IMAGE, resample=3), "preprocessor_config.json: resample: Input should be 2, got 3"),
        (
            with_entries(IMAGE, size={"height": 64, "width": 32}),
            "preprocessor_config.json: size: expected the network's, a square of 64 px, got .*32",
        ),
        (shortened, "model.safetensors is damaged: "),
        (holding("model.safetensors", b"x" * 99), "model.safetensors is damaged: "),
        (
            lambda folder: rewritten(folder, lambda weights: weights.pop(TOKEN)),
            f"model.safetensors does not fit config.json: it lacks {TOKEN}$",
        ),
        (
            with_weights(more=torch.zeros(3)),
            "model.safetensors does not fit config.json: the network has no more$",
        ),
        (
            with_weights(**{TOKEN: torch.zeros(1, 9)}),
            f"model.safetensors does not fit config.json: of another shape is {TOKEN}$",
        ),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_refused_in_a_line(spoil, problem, tmp_path, capfd):
    folder = sam_folder(tmp_path / "network", "sam2")
    capfd.readouterr()
    spoil(folder)
    with pytest.raises(LabelerError, match=f"^network: {problem}") as refused:
        opened(folder, "cpu")
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")  # no report of transformers' own beside it


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_the_three_files_is_read_and_nothing_is_fetched(kind, tmp_path, monkeypatch):
    folder = sam_folder(tmp_path / "network", kind)
    for name in ("pytorch_model.bin", "adapter_config.json", "generation_config.json", "modeling_sam2.py"):
        (folder / name).write_text("raise SystemExit('was opened')")
    with_entries(CONFIG, auto_map={"AutoModel": "modeling_sam2.Evil"})(folder)

    def refuse(*arguments: object) -> None:
        raise AssertionError(f"looked for {arguments} on the internet")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert opened(folder, "cpu").side == 64


def test_a_backbone_from_the_internet_or_a_missing_package_is_refused(tmp_path):
    """EdgeTAM's backbone is made by timm, which fetches those whose name begins with ``hf-hub:``."""
    folder = sam_folder(tmp_path / "network", "edgetam")
    backbone = {"model_type": "timm_wrapper", "architecture": "repvit_m1"}
    with_entries(CONFIG, "vision_config", backbone_config=backbone)(folder)
    if importlib.util.find_spec("timm") is None:
        with pytest.raises(LabelerError, match=r"needs a package that is not installed: .*pip install timm"):
            opened(folder, "cpu")
    backbone["architecture"] = "hf-hub:someone/something"
    with_entries(CONFIG, "vision_config", backbone_config=backbone)(folder)
    with pytest.raises(LabelerError, match=r"^network: "):
        opened(folder, "cpu")


def test_the_hub_is_offline_while_a_folder_is_opened(tmp_path, monkeypatch):
    folder = sam_folder(tmp_path / "network", "sam2")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    seen = []

    def noted(*arguments: Any, local_files_only: bool, trust_remote_code: bool, **further: Any) -> None:
        seen.append((huggingface_hub.is_offline_mode(), local_files_only, trust_remote_code))
        raise RuntimeError("was asked")

    monkeypatch.setattr(transformers.Sam2Model, "from_pretrained", noted)
    with pytest.raises(LabelerError, match="was asked"):
        opened(folder, "cpu")
    assert seen == [(True, True, False)]
    assert not huggingface_hub.is_offline_mode()


def test_weights_of_half_precision_are_computed_with_in_single(tmp_path):
    folder = sam_folder(tmp_path / "network", "sam")
    rewritten(folder, lambda weights: weights.update({name: one.half() for name, one in weights.items()}))
    made = opened(folder, "cpu")
    assert {values.dtype for values in made.network.state_dict().values()} == {torch.float32}
    assert not made.network.training


def test_without_transformers_a_line_says_what_to_install(tmp_path, monkeypatch):
    folder = sam_folder(tmp_path / "network", "sam")
    before = importlib.import_module

    def missing(name: str) -> Any:
        if name == "transformers":
            raise ImportError("No module named 'transformers'")
        return before(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        LabelerError, match=r"No module named 'transformers' \(pip install 'spotlabel\[sam\]'\)$"
    ):
        opened(folder, "cpu")


def test_a_transformers_that_does_not_know_the_network_is_too_old(tmp_path, monkeypatch):
    folder = sam_folder(tmp_path / "network", "sam2")
    import safetensors

    monkeypatch.setattr(
        checkpoint, "_libraries", lambda: (torch, SimpleNamespace(__version__="4.40.0"), safetensors)
    )
    with pytest.raises(LabelerError, match=r"model_type sam2 needs a newer transformers than 4.40.0 \(pip"):
        opened(folder, "cpu")


def test_cuda_that_is_not_there_is_told(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(LabelerError, match=r"^device: cuda cannot be used here"):
        opened(sam_folder(tmp_path / "network", "sam"), "cuda")


def test_a_folder_is_known_by_the_content_of_its_three_files(tmp_path):
    one, same = (sam_folder(tmp_path / name, "sam2") for name in ("one", "two"))
    (same / "README.md").write_text("A tiny network.")
    assert content_digest(same) == content_digest(one)
    other = sam_folder(tmp_path / "three", "sam2", image_mean=[0.5, 0.5, 0.5])
    assert content_digest(other) != content_digest(one)
    assert content_digest(sam_folder(tmp_path / "four", "sam2", seed=1)) != content_digest(one)


def test_a_folder_and_a_file_answer_alike(tmp_path):
    from tests.helpers.segmenters import segmenter

    boxes = np.array([[3, 4, 40, 30], [200, 3, 210, 9]], np.float32)
    for content in (sam_folder(tmp_path / "network", "sam2"), segmenter()):
        found = box_segmenter(content, "cpu", 16).readings(np.zeros((48, 96, 3), np.uint8), boxes)
        assert [[one.shape for one in some] for some in found] == [[(26, 37)], []]

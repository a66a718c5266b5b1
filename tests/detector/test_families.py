"""A family that nothing but the register has heard of: settings, training, pictures, files, detection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from spotlabel.detector import families
from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.contract import Attention, Batch, Detector, Found
from spotlabel.detector.data.colour import IMAGENET_COLOURS
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.family import Family, Options
from spotlabel.detector.model import ModelSpec, load_model, read_model, save_model
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.onnx_export import export_onnx
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.initial import load_initial
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.validation import validated
from tests.helpers.training_data import scene, write_exact_masks


class BlobWeights(Options):
    """Factors of the terms."""

    box: float = Field(default=1.0, ge=0)
    mask: float = Field(default=2.0, ge=0)


class BlobOptions(Options):
    """Of the network."""

    channels: int = Field(default=0, ge=0)
    """0 leaves the number to the backbone."""
    dropout: float = 0.5


class Blob(Detector):
    """One box a picture, and two maps; draws random numbers in training."""

    multiple = 32
    colours = IMAGENET_COLOURS

    def __init__(self, options: BlobOptions, weights: BlobWeights) -> None:
        super().__init__()
        self.options, self.weights = options, weights
        self.attentions = {"where": Attention("where", foreground=True), "what": Attention("what")}
        self.trunk = nn.Conv2d(3, options.channels, 3, padding=1)
        self.maps = nn.Conv2d(options.channels, 2, 1)
        self.box = nn.Linear(options.channels, 4)

    def _run(self, image: Tensor) -> tuple[Tensor, Tensor]:
        feature = self.trunk(image).relu()
        pooled = functional.dropout(feature.mean((2, 3)), self.options.dropout, self.training)
        size = torch.tensor([image.shape[3], image.shape[2]] * 2, device=image.device)
        return self.box(pooled).sigmoid() * size, self.maps(feature).sigmoid()  # [B, 4], [B, 2, H, W]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        box, maps = self._run(batch["image"])
        error = (box[:, None] - batch["boxes"]).abs().mean(2) * batch["present"]
        terms = {
            "box": error.sum() / self.share(batch["present"].sum()).clamp(min=1) / 100,
            "mask": ((maps[:, :1] - batch["mask"]) ** 2 * batch["known"]).mean(),
        }
        total = sum(getattr(self.weights, name) * term for name, term in terms.items())
        return {**terms, "total": torch.as_tensor(total)}

    def find(
        self,
        image: Tensor,
        count: int,
        *,
        extent: Tensor | None = None,
        flip: bool = False,
        attention: bool = False,
    ) -> Found:
        box, maps = self._run(image)
        scores = torch.zeros(len(image), count)
        scores[:, 0] = 0.5
        found = {name: maps[:, k] for k, name in enumerate(self.attentions)} if attention else {}
        return Found(box[:, None].expand(-1, count, -1), scores, torch.zeros_like(scores).long(), found)


class BlobFamily(Family):
    presets = ("blob",)
    backbones = ("thin", "wide")
    weights = BlobWeights
    options = BlobOptions
    bases = {"blobs": {"preset": "blob", "backbone": "wide", "batch": 3}}  # noqa: RUF012 - read only

    def defaults(self, preset: str, backbone: str | None) -> Mapping[str, object]:
        return {"backbone": "thin", "optimiser": "sgd", "lr": 0.1}

    def settled(self, preset: str, backbone: str, options: Options) -> Options:
        assert isinstance(options, BlobOptions)
        return options if options.channels else options.model_copy(update={"channels": len(backbone)})

    def build(
        self, preset: str, backbone: str, classes: int, options: Options, weights: Options | None = None
    ) -> Detector:
        assert isinstance(options, BlobOptions)
        return Blob(options, weights if isinstance(weights, BlobWeights) else BlobWeights())


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "FAMILIES", [*families.FAMILIES, BlobFamily()])


def settings(**values: object) -> TrainingSettings:
    return validated(TrainingSettings, {"preset": "blob", **values}, "training")


# --- settings ----------------------------------------------------------------------------------------------


def test_a_family_has_defaults_weights_options_and_bases_of_its_own() -> None:
    found = settings(options={"dropout": 0.1}, lr=0.3)
    assert (found.backbone, found.optimiser, found.lr) == ("thin", "sgd", 0.3)
    assert found.weights == BlobWeights(box=1, mask=2)
    assert found.options == BlobOptions(channels=4, dropout=0.1)
    based = validated(TrainingSettings, {"base": "blobs", "batch": 4}, "training")
    assert (based.preset, based.backbone, based.batch, based.optimiser) == ("blob", "wide", 4, "sgd")


def test_settings_come_back_from_what_is_written_of_them() -> None:
    found = settings(options={"dropout": 0.1}, weights={"box": 3})
    plain = json.loads(json.dumps(found.model_dump(mode="json")))
    assert (plain["options"], plain["weights"]) == ({"channels": 4, "dropout": 0.1}, {"box": 3, "mask": 2})
    assert validated(TrainingSettings, plain, "training") == found


def test_what_a_family_does_not_have_is_no_part_of_its_files() -> None:
    spec = ModelSpec(preset="centernet", backbone="hourglass-tiny")
    assert spec.model_dump() == {
        "preset": "centernet", "backbone": "hourglass-tiny", "class_names": ("object",)
    }  # fmt: skip
    assert "options" not in TrainingSettings().model_dump()
    assert TrainingSettings().model_dump()["weights"] == {"hm": 1, "wh": 0.1, "reg": 1, "seg": 1}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": "hourglass-tiny"}, r"training\.backbone: expected one of thin, wide for blob, found"),
        ({"options": {"dropuot": 1}}, r"training\.options\.dropuot: unknown key; did you mean 'dropout'"),
        (
            {"options": {"channels": -1}},
            r"training\.options\.channels: input should be greater",
        ),
        ({"options": 3}, r"training\.options: "),
        ({"weights": {"seg": 1}}, r"training\.weights\.seg: unknown key; \(known: box, mask\)"),
        ({"preset": "centernet", "options": {"dropout": 1}}, r"training\.options: centernet has no settings"),
        ({"preset": "bolb"}, r"training\.preset: expected one of centernet, .*, blob, found 'bolb'"),
        ({"preset": ["blob"]}, r"training\.preset: "),
    ],
)
def test_settings_of_another_family_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        settings(**values)
    assert "\n" not in str(caught.value)


# --- training ----------------------------------------------------------------------------------------------

ALONE = Group(0, 1, torch.device("cpu"))
SMALL: dict[str, Any] = {
    "canvas": (64, 96), "every": 1, "every_held_out": 2, "epochs": 2, "batch": 2, "workers": 0,
    "pictures": 2, "held_out": ("b",),
}  # fmt: skip


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Sequence, Path]]:
    folder, found = tmp_path_factory.mktemp("masks"), []
    for number, name in enumerate("ab"):
        sequence = scene(name, seed=number, width=96, height=64, frames=8)
        write_exact_masks(sequence, folder / f"{name}.h5")
        found.append((sequence, folder / f"{name}.h5"))
    return found


def trained(videos: list[tuple[Sequence, Path]], folder: Path, steps: int = 99, **values: object) -> bool:
    """Train in a folder, at most so many steps; whether that was all."""
    folder.mkdir(exist_ok=True)
    stops = iter([False] * (steps - 1))
    asked = Asked(videos, settings(**SMALL, **values), folder)
    return start(asked, ALONE, lambda: next(stops, True), Watcher())


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_run_that_draws_random_numbers_goes_on_to_the_same_bytes(
    videos: list[tuple[Sequence, Path]], tmp_path: Path, optimiser: str
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert trained(videos, whole, optimiser=optimiser)
    torch.manual_seed(1)  # whatever was drawn before has no part in it
    assert not trained(videos, parts, 3, optimiser=optimiser)
    torch.rand(5)
    assert trained(videos, parts, optimiser=optimiser)
    assert metrics(parts) == metrics(whole)
    for name in ("state.safetensors", "last.safetensors"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name


def test_losses_figures_and_pictures_carry_the_familys_names(
    videos: list[tuple[Sequence, Path]], tmp_path: Path
) -> None:
    assert trained(videos, tmp_path / "run", options={"dropout": 0.0}, weights={"mask": 5.0})
    lines = metrics(tmp_path / "run")
    (first, *_), (*_, last) = ([e for e in lines if e["kind"] == kind] for kind in ("train", "held_out"))
    assert first["total"] == pytest.approx(first["box"] + 5 * first["mask"], rel=1e-5)
    assert {"ap50", "ap70", "where_iou"} <= last.keys()
    assert "what_iou" not in last
    sheet = cv2.imread(str(tmp_path / "run" / "pictures" / "epoch-002.jpg"))
    assert sheet is not None
    assert sheet.shape[1] == 6 + 4 * 486  # boxes, where, what, mask


# --- files and detection -----------------------------------------------------------------------------------


def test_a_model_file_gives_back_the_detector_with_its_options(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = ModelSpec(preset="blob", backbone="wide", options={"dropout": 0.25})  # type: ignore[arg-type]
    save_model(tmp_path / "m.safetensors", spec.build(), spec)
    network, found = load_model(tmp_path / "m.safetensors")
    assert found == spec
    assert found.options == BlobOptions(channels=4, dropout=0.25)
    image = np.full((40, 50, 3), 90, np.uint8)
    predictor = Predictor(network, found, PredictOptions(count=3), Switches("cpu"))
    (prediction,) = predictor.predict([image], attention=True)
    assert set(prediction.attention) == {"where", "what"}
    assert prediction.attention["what"].shape == (40, 50)
    assert prediction.score.tolist() == [0.5, 0, 0]
    with pytest.raises(PredictionError, match="blob cannot be written as ONNX"):
        export_onnx(tmp_path / "m.onnx", network, spec, (40, 50))


def test_a_file_of_a_family_with_other_options_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ModelSpec(preset="blob", backbone="thin")
    save_model(tmp_path / "m.safetensors", spec.build(), spec)
    monkeypatch.setattr(BlobFamily, "options", BlobWeights)
    with pytest.raises(CheckpointError, match=r"made by another version of spotlabel: options\.channels"):
        read_model(tmp_path / "m.safetensors")


def test_weights_to_start_from_fit_by_name(tmp_path: Path) -> None:
    thin, wide = ModelSpec(preset="blob", backbone="thin"), ModelSpec(preset="blob", backbone="wide")
    source, target = thin.build(), wide.build()
    save_model(tmp_path / "m.safetensors", source, thin)
    told = load_initial(str(tmp_path / "m.safetensors"), target, wide)
    assert told.startswith("m.safetensors (blob on thin) into blob on wide: copied 6 of 6 tensors")
    assert all(torch.equal(v, source.state_dict()[name]) for name, v in target.state_dict().items())
    with pytest.raises(CheckpointError, match="there are no ImageNet weights of wide"):
        load_initial("imagenet", target, wide)


@pytest.mark.parametrize("preset", families.preset_names())
def test_where_batch_norms_are_frozen_colours_are_those_of_their_weights(preset: str) -> None:
    with torch.device("meta"):
        backbone = TrainingSettings(preset=preset).backbone
        network = ModelSpec(preset=preset, backbone=backbone).build().train()
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    frozen = {not norm.training for norm in norms}
    assert len(frozen) == 1
    assert (network.colours == IMAGENET_COLOURS) == frozen.pop()

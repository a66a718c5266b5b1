"""Region-based detectors as a family: built by name, kept in files, trained, stopped and gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec, load_model, save_model
from spotlabel.detector.networks.resnet import RESNET_50, Trunk
from spotlabel.detector.regions.family import RegionFamily
from spotlabel.detector.regions.options import SMALL_C4, RegionOptions
from spotlabel.detector.regions.presets import REGION_PRESETS
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.initial import load_initial
from spotlabel.detector.training.run import Asked, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.sequence import Sequence

torch.set_num_threads(1)

FAMILY = RegionFamily()
SMALL: dict[str, object] = {
    "preset": "faster-rcnn", "backbone": "small-fpn", "canvas": (64, 128), "every": 1, "every_held_out": 4,
    "epochs": 1, "batch": 2, "lr": 1e-3, "ema": 0.9, "workers": 0, "pictures": 1, "held_out": ("b",),
    "options": {"rpn_sample": 32, "roi_sample": 16},
}  # fmt: skip


@pytest.mark.parametrize("preset", REGION_PRESETS)
def test_a_preset_stands_on_the_backbone_of_its_paper_unless_told_otherwise(preset):
    backbone = "resnet-50-fpn" if preset in ("faster-rcnn", "lga") else "resnet-101-c4"
    assert TrainingSettings(preset=preset).backbone == backbone


def test_options_chosen_change_the_backbones_own_and_stand_in_model_files(tmp_path):
    spec = ModelSpec(
        preset="faster-rcnn", backbone="small-c4", class_names=("a", "b"), options={"pool_size": 5}
    )
    network = spec.build()
    assert network.options.pool_size == 5
    assert network.options.anchor_sizes == ((16, 32, 64),)  # small-c4's, not the pyramid's
    save_model(tmp_path / "m.safetensors", network, spec)
    again, found = load_model(tmp_path / "m.safetensors")
    assert found == spec
    written = found.model_dump(mode="json")["options"]
    assert (written["pool_size"], written["anchor_sizes"]) == (5, [[16, 32, 64]])
    assert again.options == network.options
    assert not again.training


def test_a_model_file_holds_every_option_though_none_was_chosen():
    spec = ModelSpec(preset="ian", backbone="small-c4")
    assert spec.options == SMALL_C4
    assert set(spec.model_dump(mode="json")["options"]) == set(RegionOptions.model_fields)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": 5}, "options.pool: unknown key"),
        ({"rpn_positive": 1.5}, "options.rpn_positive"),
    ],
)
def test_wrong_options_are_told_in_one_line(options, message):
    with pytest.raises(RecipeError, match=message):
        ModelSpec(preset="faster-rcnn", backbone="small-c4", options=options)


def test_options_that_do_not_fit_the_backbone_are_told_when_it_is_built():
    spec = ModelSpec(preset="faster-rcnn", backbone="small-fpn", options={"anchor_sizes": [[16]]})
    with pytest.raises(
        RecipeError, match=r"1 lists for 5 feature maps; expected one each \(faster-rcnn on small-fpn\)"
    ):
        spec.build()


def test_imagenet_weights_by_backbone(tmp_path):
    trunk = Trunk(RESNET_50)
    save_file(trunk.state_dict(), tmp_path / "w.safetensors")
    spec = ModelSpec(preset="als-split", backbone="resnet-50-c4")
    network = spec.build()
    line = load_initial(f"imagenet:{tmp_path / 'w.safetensors'}", network, spec)
    assert line.startswith("ImageNet weights into resnet-50-c4: copied ")
    for tower in (network.roi_heads.box_head, network.class_head):
        assert torch.equal(tower.layer4[2].conv3.weight, trunk.layer4[2].conv3.weight)
    with pytest.raises(CheckpointError, match="there are no ImageNet weights of small-c4"):
        FAMILY.load_imagenet(network, "small-c4", None)


def run(
    videos: list[tuple[Sequence, Path]], folder: Path, steps: int | None = None, **changes: object
) -> bool:
    """Train; stop after some steps if told to. True if the run came to its end."""
    folder.mkdir(exist_ok=True)
    left = iter([False] * ((steps or 10**6) - 1))
    asked = Asked(videos, TrainingSettings(**{**SMALL, **changes}), folder, False)
    return start(asked, Group(0, 1, torch.device("cpu")), lambda: next(left, True), Watcher())


@pytest.mark.parametrize("preset", ["faster-rcnn", "ian"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(videos, tmp_path, preset):
    assert run(videos, tmp_path / "whole", preset=preset)
    assert not run(videos, tmp_path / "stopped", steps=2, preset=preset)
    assert run(videos, tmp_path / "stopped", preset=preset)
    for name in ("last.safetensors", "state.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_a_base_of_one_name_is_the_presets_own() -> None:
    small = TrainingSettings(base="small", preset="als")
    assert (small.backbone, small.preset, small.init) == ("small-c4", "als", "")
    assert TrainingSettings(base="small").preset == "spotnet-paper"
    voc = TrainingSettings(base="voc", preset="ian", options={"rpn_sample": 64})
    assert (voc.backbone, voc.optimiser, voc.lr, voc.lr_batch) == ("resnet-101-c4", "sgd", 2e-3, 2)
    assert (voc.init, voc.options.rpn_sample) == ("imagenet", 64)
    for base, preset in (("released", "als"), ("voc", "centernet")):
        with pytest.raises(ValueError, match=f"base: expected one of modern, .* for {preset}"):
            TrainingSettings(base=base, preset=preset)


def test_sections_of_a_base_may_be_changed_in_part() -> None:
    small = TrainingSettings(base="small", preset="lga", options={"lga": {"gaussians": 2}})
    assert (small.options.lga.gaussians, small.options.lga.hidden) == (2, 32)


def test_weights_of_imagenet_are_the_default_where_there_are_some() -> None:
    assert TrainingSettings(preset="ian").init == "imagenet"
    assert TrainingSettings(preset="ian", backbone="small-fpn").init == ""
    assert TrainingSettings(preset="ian", init="").init == ""


def test_a_network_that_is_not_finite_is_told_by_its_losses(videos, tmp_path):
    with pytest.raises(TrainingError, match=r"the loss .* is nan"):
        run(videos, tmp_path / "run", lr=1e30, clip=0.0, ema=0.0, options={"rpn_sample": 32})


def test_random_weights_are_not_frozen_without_a_word(videos, tmp_path) -> None:
    told = "training.init: faster-rcnn on resnet-50-c4 keeps weights frozen, which would be random ones"
    with pytest.raises(TrainingError, match=told):
        run(videos, tmp_path / "frozen", backbone="resnet-50-c4", init="", options={})
    assert not (tmp_path / "frozen" / "state.safetensors").exists()

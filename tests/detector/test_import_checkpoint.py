"""Public checkpoints made into models of spotlabel: recognised, refused, and used by ``detect``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, public_name
from spotlabel.detector.coco_names import COCO_NAMES, COCO_USED_IDS
from spotlabel.detector.import_checkpoint import import_checkpoint
from spotlabel.detector.model import ModelSpec, load_model
from spotlabel.detector.regions.recognise import recognise as recognise_regions
from spotlabel.pipeline.cli.main import main
from tests.detector.regions.test_regions_golden import NETWORKS

torch.set_num_threads(1)


def public(preset: str, classes: int, backbone: str = "hourglass-tiny") -> dict[str, Tensor]:
    """Random weights of a detector under the names that its public checkpoints have."""
    torch.manual_seed(7)
    spec = ModelSpec(preset=preset, backbone=backbone, class_names=tuple(f"c{k}" for k in range(classes)))
    state = spec.build().state_dict()
    return {
        f"module.{public_name(name)}": value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }


def written(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"param_groups": [{"lr": 1e-5}]}}, path)
    return path


@pytest.mark.parametrize("preset", ["centernet", "spotnet-released", "spotnet-paper", "spotnet2"])
@pytest.mark.parametrize("backbone", ["hourglass-tiny", "hourglass-small", "resnet18"])
def test_preset_and_backbone_are_told_by_names_and_shapes(preset: str, backbone: str, tmp_path: Path) -> None:
    state = public(preset, 3, backbone)
    network, spec, report = import_checkpoint(written(tmp_path / "x.pth", state), ("car", "bus", "van"))
    assert (spec.preset, spec.backbone, spec.class_names) == (preset, backbone, ("car", "bus", "van"))
    assert spec.sides is None
    assert not report.new + report.skipped + report.unknown
    assert len(report.copied) == len(state)
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, state[f"module.{public_name(name)}"]), name


def test_what_the_published_networks_never_use_is_no_obstacle(tmp_path: Path) -> None:
    state = public("spotnet-released", 1) | {"module.SqEx.0.0.linear1.weight": torch.zeros(1, 8)}
    _, spec, report = import_checkpoint(written(tmp_path / "x.pth", state))
    assert spec.class_names == ("object",)
    assert report.unknown == ("SqEx.0.0.linear1.weight",)
    multitask = import_checkpoint(tmp_path / "x.pth", preset="spotnet-multitask")
    assert multitask.spec.preset == "spotnet-multitask"


def test_coco_classes_have_cocos_names(tmp_path: Path) -> None:
    _, spec, _ = import_checkpoint(written(tmp_path / "x.pth", public("centernet", 80)))
    assert spec.class_names == COCO_NAMES
    assert (COCO_NAMES[2], COCO_NAMES[79]) == ("car", "toothbrush")
    assert (COCO_USED_IDS[2], COCO_USED_IDS[79]) == (3, 90)


def faster_rcnn(classes: int) -> dict[str, Tensor]:
    """Torchvision's Faster R-CNN on ResNet-50 with a pyramid; memory only where classes are told apart."""
    tensors = {name: torch.zeros(()).expand(shape) for name, shape in NETWORKS["resnet50_fpn"].items()}
    head = "roi_heads.box_predictor."
    row = torch.arange(classes, dtype=torch.float32)
    return tensors | {
        f"{head}cls_score.weight": row[:, None].expand(-1, 1024),
        f"{head}cls_score.bias": row,
        f"{head}bbox_pred.weight": row.repeat_interleave(4)[:, None].expand(-1, 1024),
        f"{head}bbox_pred.bias": row.repeat_interleave(4),
    }


def test_a_detector_of_cocos_ids_is_one_of_its_categories() -> None:
    found = recognise_regions(faster_rcnn(91), named=False)
    assert found is not None
    assert (found.preset, found.backbone, found.sides) == ("faster-rcnn", "resnet-50-fpn", (800, 1333))
    assert (found.classes, found.class_names) == (80, COCO_NAMES)
    # Background, then the ids that a category has, each with its own four sides.
    expected = [0.0, *map(float, COCO_USED_IDS)]
    assert found.tensors["roi_heads.box_predictor.cls_score.bias"].tolist() == expected
    assert found.tensors["roi_heads.box_predictor.cls_score.weight"][:, 5].tolist() == expected
    boxes = found.tensors["roi_heads.box_predictor.bbox_pred.bias"].reshape(81, 4)
    assert boxes.tolist() == [[k] * 4 for k in expected]
    assert found.tensors["roi_heads.box_predictor.bbox_pred.weight"].shape == (324, 1024)
    named = recognise_regions(faster_rcnn(91), named=True)
    assert named is not None
    assert (named.classes, named.class_names) == (90, ())


def test_torchvisions_weights_become_a_detector(tmp_path: Path) -> None:
    torch.save({"model": {name: value.clone() for name, value in faster_rcnn(3).items()}}, tmp_path / "x.pth")
    network, spec, report = import_checkpoint(tmp_path / "x.pth", ("car", "bus"))
    assert (spec.preset, spec.backbone, spec.sides) == ("faster-rcnn", "resnet-50-fpn", (800, 1333))
    assert not report.new + report.skipped + report.unknown
    assert network.state_dict()["roi_heads.box_predictor.cls_score.bias"].tolist() == [0, 1, 2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_an_imported_model_detects_what_the_checkpoints_network_finds(tmp_path: Path) -> None:
    state = public("spotnet-released", 2)
    source, model = written(tmp_path / "x.pth", state), tmp_path / "m.safetensors"
    result = run("import", "checkpoint", source, model, "--classes", "car, bus")
    assert result.exit_code == 0, result.output
    assert f"{model}: spotnet-released on hourglass-tiny, car, bus" in result.stdout
    assert "--preset spotnet-multitask" in result.stdout
    network, spec = load_model(model)
    assert spec.class_names == ("car", "bus")
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, state[f"module.{public_name(name)}"]), name
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    result = run("detect", model, tmp_path / "a.png", "--out", tmp_path / "out", "--device", "cpu")
    assert result.exit_code == 0, result.output


def test_detect_names_the_command_that_makes_a_model_of_a_checkpoint(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    zipped = written(tmp_path / "x.pth", public("centernet", 1))
    legacy = tmp_path / "old.pth"
    torch.save({"state_dict": {}}, legacy, _use_new_zipfile_serialization=False)
    for path in (zipped, legacy):
        result = run("detect", path, tmp_path / "a.png", "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert f"spotlabel import checkpoint {path} {path.stem}.safetensors" in result.stderr
        assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_meant_is_refused_in_one_line(tmp_path: Path) -> None:
    seg = public("spotnet-released", 2)
    short = {name: value for name, value in seg.items() if "hm.0.0" not in name}
    files = {
        "seg": written(tmp_path / "seg.pth", seg),
        "short": written(tmp_path / "short.pth", short),
        "more": written(tmp_path / "more.pth", seg | {"hm_hp.0.1.weight": torch.zeros(1)}),
        "other": written(tmp_path / "other.pth", {"layer1.0.conv1.weight": torch.zeros(1)}),
        "nan": written(tmp_path / "nan.pth", {"hm.0.1.weight": torch.tensor([float("nan")])}),
    }
    cases = [
        ("seg", (), "seg.pth: finds 2 classes and does not say what they are called (--classes A,B,...)"),
        ("seg", ("--classes", "car"), "finds 2 classes, and 1 are named: car"),
        ("seg", ("--classes", "car,car"), "expected names of classes that differ"),
        ("seg", ("--classes", "a,b", "--preset", "centernet"), "is not centernet on hourglass-tiny: it also "
         "holds seg.0.0.conv.weight and 5 more"),
        ("seg", ("--classes", "a,b", "--preset", "als"), "holds spotnet-released; preset als: expected"),
        ("seg", ("--classes", "a,b", "--backbone", "hourglass-small"), "on hourglass-small: it lacks"),
        ("seg", ("--classes", "a,b", "--backbone", "vgg"), "backbone vgg: expected one of hourglass-104"),
        ("short", ("--classes", "a,b"), "it lacks hm.0.0.conv.weight and 1 more"),
        ("more", ("--classes", "a,b"), "on a backbone that is none of hourglass-104"),
        ("other", (), "other.pth: holds none of the detectors that can be imported"),
        ("nan", (), "nan.pth: hm.0.1.weight: the tensor holds NaN"),
    ]  # fmt: skip
    for name, options, message in cases:
        result = run("import", "checkpoint", files[name], tmp_path / "m.safetensors", *options)
        assert result.exit_code == 2, (name, options, result.output)
        assert message in result.stderr, (name, options, result.stderr)
        assert result.stderr.count("\n") == 1
    result = run("import", "checkpoint", files["seg"], tmp_path / "m.pth")
    assert "m.pth: expected a name that ends in .safetensors" in result.stderr
    assert not list(tmp_path.glob("m.*"))


def test_code_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"hm.0.1.weight": torch.zeros(1)}, "args": Path("x")}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x\.pth: refused: it asks for pathlib"):
        import_checkpoint(tmp_path / "x.pth")

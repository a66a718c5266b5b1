"""Public weights in region-based detectors: every name has its place, and others are told."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.networks.resnet import RESNET_18, Trunk
from spotlabel.detector.regions.backbones import Parts, Pyramid, Vgg16, resnet_c4
from spotlabel.detector.regions.checkpoint import load_detector, load_imagenet, load_torchvision
from spotlabel.detector.regions.heads import TwoLayers
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.options import C4, FPN
from spotlabel.detector.regions.presets import build_region_detector
from tests.detector.regions.test_regions_golden import NETWORKS
from tests.helpers import hash_tensors


def blank(names: dict[str, list[int]]) -> dict[str, Tensor]:
    """Tensors of these shapes that take no memory."""
    return {name: torch.zeros(()).expand(shape) for name, shape in names.items()}


def filled(names: dict[str, list[int]]) -> dict[str, Tensor]:
    return {name: hash_tensors.parameter(name, tuple(shape)) for name, shape in names.items()}


def small_c4() -> FasterRcnn:
    return FasterRcnn(resnet_c4(RESNET_18), 3, C4)


def old_name(name: str) -> str:
    """What torchvision called a parameter in its first releases, whose weights are still the public ones."""
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    if "fpn." in name:
        head, _, tail = name.rpartition(".0.")
        name = f"{head}.{tail}"
    return name


@pytest.mark.parametrize("old", [False, True])
def test_torchvisions_coco_weights_fit_a_detector_of_other_classes(old):
    names = NETWORKS["resnet50_fpn"]
    if old:
        names = {old_name(name): shape for name, shape in names.items()}
        assert "backbone.fpn.inner_blocks.0.weight" in names
    model = build_region_detector("faster-rcnn", "resnet-50-fpn", 4)
    kept = model.roi_heads.box_predictor.cls_score.weight.clone()
    report = load_torchvision(model, blank(names))
    counted = [name for name in names if "num_batches_tracked" not in name]
    assert len(report.copied) == len(counted) - 4
    assert set(report.skipped) == {
        f"roi_heads.box_predictor.{layer}.{part}"
        for layer in ("cls_score", "bbox_pred")
        for part in ("weight", "bias")
    }
    assert not report.new + report.unknown
    assert torch.equal(model.roi_heads.box_predictor.cls_score.weight, kept)
    assert not model.rpn.head.hidden.weight.any()
    assert not model.backbone.fpn.layer_blocks[3].bias.any()


def test_the_first_convolution_is_turned_from_rgb_to_bgr():
    weights, model = filled(NETWORKS["c4"]["names"]), small_c4()
    load_torchvision(model, weights)
    first = weights["backbone.body.conv1.weight"].float()
    assert torch.equal(model.backbone.body.conv1.weight, first.flip(1))
    assert torch.equal(model.roi_heads.box_head.layer4[1].conv2.weight,
                       weights["roi_heads.box_head.layer4.1.conv2.weight"].float())  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("rpn.head.cls_logits.bias"), "they lack rpn.head.cls_logits.bias"),
        (
            lambda w: w.update({"roi_heads.mask.weight": torch.zeros(1)}),
            "they also hold roi_heads.mask.weight",
        ),
        (
            lambda w: w.update({"rpn.head.cls_logits.bias": torch.zeros(15)}),
            "they misfit in rpn.head.cls_logits",
        ),
    ],
)
def test_weights_of_another_network_are_told_by_name(change, message):
    weights = blank(NETWORKS["c4"]["names"])
    change(weights)
    with pytest.raises(CheckpointError, match=f"torchvision's weights of another network: {message}"):
        load_torchvision(small_c4(), weights)


def imagenet(size: str) -> dict[str, Tensor]:
    trunk = Trunk(RESNET_18) if size == "resnet" else Vgg16()
    weights = filled({name: list(value.shape) for name, value in trunk.state_dict().items()})
    fc = {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    return {**weights, **fc} if size == "resnet" else weights


def test_imagenet_weights_fill_backbone_and_conv5():
    weights, model = imagenet("resnet"), small_c4()
    report = load_imagenet(model, weights)
    assert set(report.unknown) == {"fc.weight", "fc.bias"}
    assert torch.equal(model.backbone.body.conv1.weight, weights["conv1.weight"].float().flip(1))
    assert torch.equal(
        model.roi_heads.box_head.layer4[0].conv1.weight, weights["layer4.0.conv1.weight"].float()
    )
    assert all(name.startswith(("rpn.", "roi_heads.box_predictor.")) for name in report.new)


def test_imagenet_weights_fill_the_body_of_a_pyramid():
    trunk = Trunk(RESNET_18)
    model = FasterRcnn(Parts(Pyramid(trunk, trunk.widths), TwoLayers(256, 7, 32)), 3, FPN)
    weights = imagenet("resnet")
    report = load_imagenet(model, weights)
    assert torch.equal(trunk.layer4[0].conv1.weight, weights["layer4.0.conv1.weight"].float())
    assert not any(name.startswith("body.") for name in report.new)
    with pytest.raises(CheckpointError, match=r"they lack body\.layer4\.1\.bn2\.bias"):
        load_imagenet(model, {name: value for name, value in weights.items() if name != "layer4.1.bn2.bias"})


def test_imagenet_weights_fill_vggs_layers():
    weights = imagenet("vgg")
    model = build_region_detector("faster-rcnn", "vgg-16", 2)
    weights |= blank({
        "classifier.0.weight": [4096, 25088], "classifier.0.bias": [4096],
        "classifier.3.weight": [4096, 4096], "classifier.3.bias": [4096],
        "classifier.6.weight": [1000, 4096], "classifier.6.bias": [1000],
    })  # fmt: skip
    report = load_imagenet(model, weights)
    assert torch.equal(model.backbone.body.features[0].weight, weights["features.0.weight"].float().flip(1))
    assert torch.equal(model.backbone.body.features[28].bias, weights["features.28.bias"].float())
    assert not model.roi_heads.box_head.fc6.weight.any()
    assert not model.roi_heads.box_head.fc7.weight.any()
    assert set(report.unknown) == {"classifier.6.weight", "classifier.6.bias"}


def test_our_own_weights_are_not_taken_for_torchvisions():
    plain, other = (build_region_detector("faster-rcnn", "small-c4", classes) for classes in (2, 3))
    report = load_detector(other, plain.state_dict())
    assert torch.equal(other.backbone.body.conv1.weight, plain.backbone.body.conv1.weight)
    assert len(report.skipped) == 4
    assert not report.new + report.unknown


def test_two_towers_start_from_the_one_of_the_plain_detector():
    plain = build_region_detector("faster-rcnn", "small-c4", 2)
    split = build_region_detector("als-split", "small-c4", 2)
    report = load_detector(split, plain.state_dict())
    assert not report.new
    for tower in (split.roi_heads.box_head, split.class_head):
        assert torch.equal(tower.layer4.conv1.weight, plain.roi_heads.box_head.layer4.conv1.weight)
    with torch.no_grad():
        split.class_head.layer4.conv1.weight.fill_(1)
    als = build_region_detector("als", "small-c4", 2)
    load_detector(als, split.state_dict())
    assert bool((als.class_head.layer4.conv1.weight == 1).all())


def test_torchvisions_weights_leave_attentions_as_they_are():
    model = build_region_detector("lga", "resnet-50-fpn", 4)
    report = load_torchvision(model, blank(NETWORKS["resnet50_fpn"]))
    assert report.new
    assert all(name.startswith("gaussian.") for name in report.new)

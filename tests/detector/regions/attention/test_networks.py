"""The attentions in Faster R-CNN: sizes, what a preset changes of the plain detector, what is learnt."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from spotlabel.detector.checkpoint import import_public, public_name
from spotlabel.detector.contract import Batch
from spotlabel.detector.networks.resnet import RESNET_18, Trunk
from spotlabel.detector.regions.attention.als import AlsRcnn, SplitRcnn
from spotlabel.detector.regions.attention.ian import IanRcnn
from spotlabel.detector.regions.attention.lga import LgaRcnn
from spotlabel.detector.regions.backbones import resnet_c4
from spotlabel.detector.regions.checkpoint import load_imagenet
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.options import C4, RegionWeights
from spotlabel.detector.regions.presets import build_region_detector
from tests.helpers import hash_tensors

torch.set_num_threads(1)

PRESETS = ("faster-rcnn", "als-split", "als", "ian", "lga")
BOXES = ((8, 10, 40, 34), (52, 40, 88, 80), (10, 56, 38, 84), (56, 6, 84, 30))
SMALL: dict[str, Any] = {
    "als": {"hidden": 32},
    "lga": {"hidden": 16, "guide_width": 64},
    "pool_size": 7,
    "train_before": 100,
    "train_after": 40,
    "test_before": 200,
    "test_after": 60,
    "roi_sample": 24,
}


def build(preset: str, backbone: str = "small-c4", seed: int = 0, **options: Any) -> FasterRcnn:
    torch.manual_seed(seed)
    weights = options.pop("weights", None)
    network = build_region_detector(preset, backbone, 2, weights, **{**SMALL, **options})
    network.generator = torch.Generator().manual_seed(seed)
    return network


def scene(pictures: int = 2) -> Batch:
    """Light and striped boxes on noise, each picture with other ones."""
    generator = torch.Generator().manual_seed(1)
    image = 0.3 * torch.randn(pictures, 3, 96, 96, generator=generator)
    boxes, classes = torch.zeros(pictures, 3, 4), torch.zeros(pictures, 3, dtype=torch.int64)
    mask = torch.zeros(pictures, 1, 96, 96)
    for picture in range(pictures):
        for slot in range(3):
            x0, y0, x1, y1 = BOXES[(picture + slot) % 4]
            label = (picture + slot) % 2
            image[picture, :, y0:y1, x0:x1] += 2.0 if label else 1.0
            if label:
                image[picture, :, y0:y1, x0:x1:4] -= 3.0
            boxes[picture, slot], classes[picture, slot] = torch.tensor([x0, y0, x1, y1]), label
            mask[picture, 0, y0:y1, x0:x1] = 1
    ones = torch.ones_like(mask)
    return {
        "image": image,
        "extent": torch.tensor([[96, 96]] * pictures),
        "boxes": boxes,
        "classes": classes,
        "present": torch.ones(pictures, 3, dtype=torch.bool),
        "mask": mask,
        "known": ones,
        "labelled": ones,
    }


def count(preset: str, backbone: str, classes: int, **options: Any) -> int:
    with torch.device("meta"):
        network = build_region_detector(preset, backbone, classes, **options)
    return sum(p.numel() for p in network.parameters())


def test_parameters_of_the_paper() -> None:
    c4 = "resnet-101-c4"
    assert count("faster-rcnn", c4, 20) == 52_199_638
    assert count("als-split", c4, 20) == 67_164_374
    assert count("als", c4, 20) == 79_759_576
    assert count("ian", c4, 20) == 52_199_638


@pytest.mark.parametrize(("isotropic", "parameters"), [(True, 54_092), (False, 66_640)])
def test_parameters_of_gaussians_on_a_pyramid(isotropic: bool, parameters: int) -> None:
    plain = count("faster-rcnn", "resnet-50-fpn", 20)
    guided = count("lga", "resnet-50-fpn", 20, lga={"isotropic": isotropic, "guide": "pooled"})
    assert guided - plain == parameters + 256 * 21 + 21


def test_the_towers_share_nothing_and_start_alike() -> None:
    network = build("als")
    assert isinstance(network, AlsRcnn)
    for (name, one), (_, other) in zip(
        network.roi_heads.box_head.named_parameters(), network.class_head.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name
        assert one.untyped_storage().data_ptr() != other.untyped_storage().data_ptr()


@pytest.mark.parametrize("backbone", ["small-c4", "small-fpn"])
def test_regions_are_proposed_from_what_the_localisation_attention_lets_pass(backbone: str) -> None:
    network, batch = build("als", backbone), scene()
    seen: dict[str, list[Tensor]] = {}
    network.rpn.register_forward_pre_hook(lambda _, inputs: seen.update(rpn=inputs[0]))
    network.separation.register_forward_hook(
        lambda _, __, found: seen.setdefault("loc", []).append(found.loc)
    )
    if backbone == "small-fpn":
        batch["image"] = torch.nn.functional.pad(batch["image"], (0, 32, 0, 32))
    network.find(batch["image"], 5)
    assert len(seen["rpn"]) == len(seen["loc"]) == len(network.backbone.strides)
    assert all(one is other for one, other in zip(seen["rpn"], seen["loc"], strict=True))


def gradient(loss: Tensor, module: torch.nn.Module) -> float:
    found = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, retain_graph=True)
    return max((float(g.abs().max()) for g in found if g is not None), default=0.0)


@pytest.mark.parametrize("detach", [False, True])
def test_each_loss_of_als_reaches_its_own_parts(detach: bool) -> None:
    network = build("als", als={"hidden": 32, "detach_cascade": detach})
    assert isinstance(network, AlsRcnn)
    losses, separation = network(scene()), network.separation
    assert gradient(losses["classification"], network.roi_heads.box_head) == 0
    assert gradient(losses["boxes"], network.class_head) == 0
    assert gradient(losses["boxes"], separation.cls) == 0
    assert gradient(losses["attention"], separation.cls) == 0
    assert gradient(losses["rpn_objectness"], separation.cls) == 0
    assert gradient(losses["classification"], separation.cls) > 0
    assert gradient(losses["boxes"], separation.loc) > 0
    assert gradient(losses["attention"], separation.loc) > 0
    assert (gradient(losses["classification"], separation.loc) > 0) is not detach


def test_als_with_open_gates_is_the_split_network() -> None:
    split, als, image = build("als-split").eval(), build("als").eval(), scene()["image"]
    assert isinstance(split, SplitRcnn)
    missing = als.load_state_dict(split.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(name.startswith("separation.") for name in missing.missing_keys)
    for net in (als.separation.loc, als.separation.cls):
        net[4].weight.data.zero_()
        net[4].bias.data.fill_(20.0)
    with torch.no_grad():
        one, other = split.find(image, 20), als.find(image, 20)
    assert torch.allclose(one.scores, other.scores, atol=1e-6)
    assert torch.allclose(one.boxes, other.boxes, atol=1e-3)


def test_unknown_pixels_have_no_part_in_the_attention_loss() -> None:
    network, batch = build("als").eval(), scene()
    with torch.no_grad():
        before = network(batch)["attention"]
        batch["known"] = torch.ones_like(batch["known"])
        batch["known"][:, :, :48] = 0
        batch["mask"] = batch["mask"].clone()
        half = network(batch)["attention"]
        batch["mask"][:, :, :48] = 1
        assert network(batch)["attention"] == half != before


def test_inverted_attention_is_the_plain_detector_but_in_training() -> None:
    plain, ian, batch = build("faster-rcnn"), build("ian", ian={"rois": 0.7}), scene()
    assert isinstance(ian, IanRcnn)
    assert list(plain.state_dict()) == list(ian.state_dict())
    ian.load_state_dict(plain.state_dict())
    with torch.no_grad():
        one, other = plain.eval().find(batch["image"], 20), ian.eval().find(batch["image"], 20)
        same = plain(batch), ian(batch)
    assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    plain.generator, ian.generator = (torch.Generator().manual_seed(3) for _ in range(2))
    trained = plain.train()(batch), ian.train()(batch)
    changed = {name for name in trained[0] if not torch.equal(trained[0][name], trained[1][name])}
    assert changed == {"classification", "boxes", "total"}


def test_without_regions_inverted_attention_trains_the_plain_detector() -> None:
    plain, ian, batch = build("faster-rcnn").train(), build("ian", ian={"rois": 0.0}).train(), scene()
    ian.load_state_dict(plain.state_dict())
    one, other = plain(batch), ian(batch)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_without_fusion_and_guide_gaussians_are_the_plain_detector() -> None:
    plain = build("faster-rcnn")
    lga = build("lga", lga={"fusion": "none", "hidden": 16}, weights=RegionWeights(guide=0.0))
    assert isinstance(lga, LgaRcnn)
    rest = lga.load_state_dict(plain.state_dict(), strict=False)
    assert not rest.unexpected_keys
    assert all(name.startswith("gaussian.") for name in rest.missing_keys)
    batch = scene()
    plain.generator, lga.generator = (torch.Generator().manual_seed(3) for _ in range(2))
    one, other = plain(batch), lga(batch)
    assert torch.equal(one["total"], other["total"])
    plain.eval(), lga.eval()
    with torch.no_grad():
        found = plain.find(batch["image"], 20), lga.find(batch["image"], 20)
    assert all(torch.equal(a, b) for a, b in zip(found[0][:3], found[1][:3], strict=True))


def test_the_guide_serves_training_alone_and_reaches_no_box() -> None:
    network, batch = build("lga"), scene()
    assert isinstance(network, LgaRcnn)
    calls: list[int] = []
    network.gaussian.guide.register_forward_hook(lambda *_: calls.append(1))
    network.eval().find(batch["image"], 5, attention=True)
    assert not calls
    losses = network.train()(batch)
    assert calls == [1]
    assert gradient(losses["guide"], network.roi_heads) == 0
    assert gradient(losses["guide"], network.gaussian.locate) > 0
    assert gradient(losses["guide"], network.gaussian.reduce) > 0
    assert gradient(losses["classification"], network.gaussian.guide) == 0


def test_background_can_be_kept_from_guiding() -> None:
    batch = scene()
    batch["present"] = torch.zeros_like(batch["present"])
    assert build("lga")(batch)["guide"] > 0
    assert build("lga", lga={**SMALL["lga"], "positives_only": True})(batch)["guide"] == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seed_gives_the_same_losses(preset: str) -> None:
    batch = scene()
    first, again = (build(preset, seed=5).train()(batch) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(loss.isfinite() for loss in first.values())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_parameter_learns(preset: str) -> None:
    network = build(preset).train()
    network(scene())["total"].backward()
    still = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not still


def test_imagenet_weights_fill_both_towers() -> None:
    network = SplitRcnn(resnet_c4(RESNET_18), 2, C4)
    trunk = Trunk(RESNET_18).state_dict()
    public = {name: hash_tensors.parameter(name, tuple(value.shape)) for name, value in trunk.items()}
    report = load_imagenet(network, public)
    for tower in (network.roi_heads.box_head, network.class_head):
        assert torch.equal(
            tower.get_parameter("layer4.1.conv2.weight"), public["layer4.1.conv2.weight"].float()
        )
    assert all(name.startswith(("rpn.", "roi_heads.box_predictor.")) for name in report.new)


def test_what_was_learnt_without_attention_starts_als() -> None:
    split, als = build("als-split", seed=1), build("als", seed=2)
    report = import_public(als, {public_name(name): value for name, value in split.state_dict().items()})
    assert not report.unknown + report.skipped
    assert all(name.startswith("separation.") for name in report.new)
    assert torch.equal(
        als.state_dict()["class_head.layer4.conv1.weight"], split.class_head.layer4.conv1.weight
    )


@pytest.mark.parametrize("preset", ["als", "lga"])
def test_attention_learns_where_objects_are(preset: str) -> None:
    network, batch = build(preset, seed=2).train(), scene()
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(60):
        optimiser.zero_grad()
        network(batch)["total"].backward()
        optimiser.step()
    with torch.no_grad():
        found = network.eval().find(batch["image"], 10, attention=True)
    assert set(found.attention) == set(network.attentions)
    assert all(drawn.shape == (2, 96, 96) for drawn in found.attention.values())
    inside = batch["mask"][:, 0] > 0
    drawn = found.attention["loc"].sigmoid() if preset == "als" else found.attention["gaussians"]
    assert drawn[inside].mean() > drawn[~inside].mean() + 0.2
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_sensitivity_is_shown_in_detection_where_gradients_are_off() -> None:
    network, batch = build("ian", score_floor=0.0).eval(), scene()
    network.roi_heads.box_predictor.cls_score.bias.data[1] = 5.0
    with torch.inference_mode():
        found = network.find(batch["image"], 3, attention=True)
    before, after = found.attention["sensitivity"], found.attention["inverted"]
    assert (found.scores >= 0.3).all()
    assert before.shape == after.shape == (2, 96, 96)
    assert before.max() == pytest.approx(1)
    assert (after <= before).all()
    assert after.sum() < before.sum()


def test_what_an_object_is_recognised_by_can_be_looked_at() -> None:
    network, batch = build("ian").eval(), scene()
    assert isinstance(network, IanRcnn)
    pooled = network.pool(network.look(batch["image"]).proposing, batch["boxes"])
    before, after = (part.flatten(1) for part in network.inversion(pooled, batch["classes"].flatten() + 1))
    assert before.shape == after.shape == (6, 49)
    assert not before.requires_grad
    assert (before.amin(1).tolist(), before.amax(1).tolist()) == ([0.0] * 6, [1.0] * 6)
    # The 16 highest of 49 cells, in 77 of 96 channels.
    high = before.argsort(dim=1, descending=True)[:, :16]
    kept = torch.ones_like(before).scatter(1, high, 19 / 96)
    assert torch.allclose(after, before * kept)
    assert all(parameter.grad is None for parameter in network.parameters())

"""Faster R-CNN as a whole: sizes, batches, padding, regions that nobody labelled, determinism."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from spotlabel.detector.data.colour import IMAGENET_COLOURS
from spotlabel.detector.regions.backbones import REGION_BACKBONES
from spotlabel.detector.regions.network import FasterRcnn, mirrored, mirrored_boxes
from spotlabel.detector.regions.options import FPN, RegionWeights, changed
from spotlabel.detector.regions.presets import build_region_detector
from spotlabel.detector.regions.rpn import propose
from tests.helpers.regions import batch_of, noise

torch.set_num_threads(1)

SMALL = ["small-c4", "small-fpn"]
EVERYTHING = {"rpn_sample": 10**6, "rpn_share": 1, "roi_sample": 10**6, "roi_share": 1}
BOXES = [[[10, 12, 40, 41], [60, 20, 100, 50]], [[30, 5, 62, 39]]]
CLASSES = [[0, 1], [1]]
TERMS = {"rpn_objectness", "rpn_boxes", "classification", "boxes", "total"}


def small(backbone: str, seed: int = 0, **options) -> FasterRcnn:
    """A float64 detector of two classes, in training mode, that finds something whatever it is shown."""
    torch.manual_seed(seed)
    model = build_region_detector("faster-rcnn", backbone, 2, **options).double()
    nn.init.normal_(model.roi_heads.box_predictor.cls_score.weight, std=0.5)
    nn.init.normal_(model.roi_heads.box_predictor.bbox_pred.weight, std=0.1)
    return model


def parameters(module: nn.Module, trained: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


def built(backbone: str, classes: int) -> FasterRcnn:
    with torch.device("meta"):
        return build_region_detector("faster-rcnn", backbone, classes)


def test_the_classic_network_has_the_published_size():
    model = built("resnet-101-c4", 20)
    assert parameters(model) == 52_199_638
    assert parameters(model.backbone) == 27_535_424
    assert parameters(model.roi_heads.box_head) == 14_964_736
    assert parameters(model.rpn.head) == 9_484_333
    assert parameters(model.roi_heads.box_predictor.cls_score) == 43_029
    assert parameters(model.roi_heads.box_predictor.bbox_pred) == 172_116


def test_the_other_networks_have_torchvisions_sizes():
    pyramid = built("resnet-50-fpn", 90)
    affine = sum(parameters(m) for m in pyramid.modules() if isinstance(m, nn.BatchNorm2d))
    assert parameters(pyramid) - affine == 41_755_286
    vgg = built("vgg-16", 20)
    assert parameters(vgg.backbone) == 14_714_688
    assert parameters(vgg.roi_heads.box_head) == 102_764_544 + 16_781_312
    assert all(0.5e6 < parameters(built(name, 4)) < 1.5e6 for name in SMALL)


@pytest.mark.parametrize("backbone", REGION_BACKBONES)
def test_maps_have_the_strides_they_say(backbone):
    model = built(backbone, 2)
    multiple = model.multiple
    with torch.device("meta"):
        maps = model.backbone(torch.zeros(1, 3, multiple, 2 * multiple))
    assert [tuple(x.shape[1:]) for x in maps] == [
        (model.backbone.channels, multiple // s, 2 * multiple // s) for s in model.backbone.strides
    ]
    assert model.colours == IMAGENET_COLOURS
    assert model.attentions == {}


def test_first_stages_and_batch_norms_are_frozen():
    model = built("resnet-50-fpn", 2)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert not any(name.startswith(("backbone.body.conv1", "backbone.body.layer1")) for name in trained)
    assert "backbone.body.layer2.0.conv1.weight" in trained
    assert not any(".bn" in name or "downsample.1" in name for name in trained)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert model.training
    assert norms
    assert not any(norm.training for norm in norms)
    assert not any(
        norm.training for norm in model.eval().train().modules() if isinstance(norm, nn.BatchNorm2d)
    )
    with torch.device("meta"):
        free = build_region_detector("faster-rcnn", "vgg-16", 2, frozen_stages=0)
        classic = build_region_detector("faster-rcnn", "vgg-16", 2, frozen_stages=2)
    assert parameters(free, trained=True) == parameters(free)
    # conv1_1 to conv2_2
    assert parameters(free) - parameters(classic, trained=True) == 1792 + 36_928 + 73_856 + 147_584


@pytest.mark.parametrize("backbone", SMALL)
def test_the_same_seed_gives_the_same_losses_bit_for_bit(backbone):
    data = batch_of(noise(2), BOXES, CLASSES)
    runs = []
    for seed in (5, 5, 6):
        model = small(backbone, rpn_sample=16, roi_sample=16)
        torch.manual_seed(seed)
        losses = model(data)
        losses["total"].backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        runs.append((losses, gradient))
    assert set(runs[0][0]) == TERMS
    assert all(torch.equal(runs[0][0][name], runs[1][0][name]) for name in TERMS)
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][0]["total"], runs[2][0]["total"])
    assert bool((runs[0][1] != 0).any())


def test_a_runs_own_generator_leaves_torchs_alone():
    data, model = batch_of(noise(2), BOXES, CLASSES), small("small-c4")
    totals = []
    for noise_seed in (1, 2):
        torch.manual_seed(noise_seed)
        model.generator = torch.Generator().manual_seed(7)
        before = torch.get_rng_state()
        totals.append(model(data)["total"])
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*totals)


def test_the_total_is_the_weighted_sum():
    torch.manual_seed(0)
    factors = RegionWeights(rpn_objectness=0.5, rpn_boxes=2, classification=3, boxes=0)
    model = build_region_detector("faster-rcnn", "small-c4", 2, factors).double()
    losses = model(batch_of(noise(2), BOXES, CLASSES))
    expected = sum(getattr(factors, name) * losses[name] for name in TERMS - {"total"})
    assert losses["total"].item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("backbone", SMALL)
def test_pictures_without_objects_teach_the_background_alone(backbone):
    model = small(backbone)
    losses = model(batch_of(noise(2), [[], []], [[], []]))
    assert losses["rpn_boxes"].item() == 0
    assert losses["boxes"].item() == 0
    assert losses["rpn_objectness"].item() > 0
    assert losses["classification"].item() > 0
    losses["total"].backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("backbone", SMALL)
def test_processes_that_share_their_counts_get_the_gradient_of_one_with_both_pictures(backbone):
    data = batch_of(noise(2), BOXES, CLASSES, extent=[(64, 128), (48, 96)])
    model = small(backbone, **EVERYTHING)
    both = model(data)
    counts: list[list[torch.Tensor]] = []

    def record(count: torch.Tensor) -> torch.Tensor:
        counts[-1].append(count)
        return count

    singles = []
    for picture in range(2):
        counts.append([])
        model.share = record
        single = {name: value[picture : picture + 1] for name, value in data.items()}
        model(single)
    for picture in range(2):
        means = iter([(a + b) / 2 for a, b in zip(*counts[:2], strict=True)])
        model.share = lambda _, means=means: next(means)
        singles.append(model({name: value[picture : picture + 1] for name, value in data.items()}))
    for name in TERMS:
        mean = (singles[0][name] + singles[1][name]) / 2
        assert mean.item() == pytest.approx(both[name].item(), rel=1e-9)


@pytest.mark.parametrize("backbone", SMALL)
def test_a_batch_of_different_extents_finds_what_single_pictures_show(backbone):
    model = small(backbone).eval()
    image, extent = noise(2), torch.tensor([[64, 128], [40, 72]])
    image[1, :, 40:] = 0
    image[1, :, :, 72:] = 0
    with torch.no_grad():
        both = model.find(image, 20, extent=extent)
        for picture in range(2):
            one = slice(picture, picture + 1)
            alone = model.find(image[one], 20, extent=extent[one])
            torch.testing.assert_close(both.boxes[one], alone.boxes, rtol=0, atol=1e-9)
            torch.testing.assert_close(both.scores[one], alone.scores, rtol=0, atol=1e-9)
            assert torch.equal(both.classes[one], alone.classes)
    assert bool((both.scores > 0.05).all())
    assert both.attention == {}
    for found, (height, width) in zip(both.boxes, extent.tolist(), strict=True):
        assert found.min() >= 0
        assert found[:, 2].max() <= width
        assert found[:, 3].max() <= height


def test_what_is_found_is_sorted_and_filled_up():
    model = small("small-c4", test_after=4).eval()
    with torch.no_grad():
        found = model.find(noise(1), 50)
    assert found.boxes.shape == (1, 50, 4)
    real = int((found.scores[0] > 0).sum())
    assert 0 < real <= 8
    assert found.scores[0].tolist() == sorted(found.scores[0].tolist(), reverse=True)
    assert not found.boxes[0, real:].any()
    assert not found.classes[0, real:].any()


def test_pictures_are_mirrored_inside_their_extent():
    image = torch.arange(6.0).expand(2, 3, 1, 6)
    found = mirrored(image, torch.tensor([[1, 6], [1, 4]]))
    assert found[:, 0, 0].tolist() == [[5, 4, 3, 2, 1, 0], [3, 2, 1, 0, 4, 5]]
    boxes = torch.tensor([[[0.0, 1, 2, 3]], [[0.0, 1, 2, 3]]])
    assert mirrored_boxes(boxes, torch.tensor([[9, 6], [9, 4]])).tolist() == [[[4, 1, 6, 3]], [[2, 1, 4, 3]]]


@pytest.mark.parametrize("backbone", SMALL)
def test_with_flipping_a_mirrored_picture_shows_the_mirrored_boxes(backbone):
    # Few proposals, and none suppressed: what the two views find differs, and their order does too.
    model = small(backbone, final_iou=1.0).eval()
    image, extent = noise(1), torch.tensor([[64, 104]])
    image[..., 104:] = 0
    with torch.no_grad():
        plain = model.find(image, 40, extent=extent, flip=True)
        turned = model.find(mirrored(image, extent), 40, extent=extent, flip=True)
        once = model.find(image, 40, extent=extent)
    torch.testing.assert_close(plain.scores, turned.scores, rtol=0, atol=1e-9)
    back = mirrored_boxes(turned.boxes, extent)
    distinct = (plain.scores[0].diff().abs() > 1e-9).nonzero()[:, 0].tolist()
    assert len(distinct) > 10
    torch.testing.assert_close(plain.boxes[0, distinct], back[0, distinct], rtol=0, atol=1e-7)
    assert not torch.equal(plain.boxes, once.boxes)
    assert bool((plain.scores >= once.scores).all())


@pytest.mark.parametrize("backbone", SMALL)
def test_where_nobody_labelled_nothing_is_learnt(backbone):
    model = small(backbone, **EVERYTHING)
    data = batch_of(noise(1), [[[10, 12, 40, 41]]], [[0]])
    hidden = {**data, "labelled": data["labelled"].clone()}
    hidden["labelled"][..., 64:] = 0  # the right half
    drawn = []
    original = model.choose

    def spied(*arguments):
        drawn.append(original(*arguments))
        return drawn[-1]

    model.choose = spied
    all_seen, half_seen = model(data), model(hidden)
    assert half_seen["rpn_boxes"].item() > 0
    assert not torch.equal(all_seen["rpn_objectness"], half_seen["rpn_objectness"])
    everywhere, left = (rois.boxes[rois.valid] for rois in drawn)

    def share_at_right(boxes):
        width = boxes[:, 2] - boxes[:, 0]
        return (boxes[:, 2].clamp(min=64) - boxes[:, 0].clamp(min=64)) / width

    assert bool((share_at_right(everywhere) >= 0.5).any())
    assert bool((share_at_right(left) < 0.5).all())
    assert len(left) == int((share_at_right(everywhere) < 0.5).sum())


def test_an_object_among_the_unlabelled_is_no_positive():
    model = small("small-c4", **EVERYTHING)
    data = batch_of(noise(1), [[[70, 12, 100, 41]]], [[0]])
    data["labelled"][..., 64:] = 0
    losses = model(data)
    assert losses["rpn_boxes"].item() == 0
    assert losses["boxes"].item() == 0


def test_nothing_labelled_at_all_is_no_loss():
    model = small("small-fpn")
    data = batch_of(noise(1), [[[70, 12, 100, 41]]], [[0]])
    data["labelled"].zero_()
    losses = model(data)
    # A proposal that reaches off the canvas cannot be; an anchor there counts as labelled.
    assert losses["classification"].item() == 0
    assert bool(torch.isfinite(losses["total"]))


def test_proposals_are_best_first_and_inside_the_picture():
    model = small("small-fpn", test_after=25).eval()
    extent = torch.tensor([[50, 90]])
    with torch.no_grad():
        levels = model.rpn(model.look(noise(1)).proposing)
        found = propose(levels, extent, 100, 25, 0.7)
    assert found.boxes.shape == (1, 25, 4)
    assert bool(found.valid.all())
    assert found.boxes[..., 0::2].max() <= 90
    assert found.boxes[..., 1::2].max() <= 50
    assert len(levels) == 5


@pytest.mark.parametrize("backbone", SMALL)
def test_under_autocast_losses_are_single_and_near(backbone):
    data = batch_of(noise(2).float(), BOXES, CLASSES)
    # All boxes the same in both runs: proposals move a little, and with them which are positive.
    model = small(backbone, **EVERYTHING).float()
    exact = model(data)
    with torch.autocast("cpu", torch.bfloat16):
        near = model(data)
    assert all(value.dtype == torch.float32 for value in near.values())
    for name in ("rpn_objectness", "rpn_boxes"):
        assert near[name].item() == pytest.approx(exact[name].item(), rel=0.03, abs=1e-3)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_compiled_network_says_the_same():
    data, model = batch_of(noise(2).float(), BOXES, CLASSES), small("small-fpn").float()
    compiled = torch.compile(model, backend="eager")
    found = []
    for network in (model, compiled):
        torch.manual_seed(1)
        found.append(network(data))
    assert all(torch.equal(found[0][name], found[1][name]) for name in TERMS)


def test_a_canvas_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="input of 60x128: both sides must be multiples of 64"):
        small("small-fpn").find(noise(1, 60), 5)


def test_one_map_can_be_pooled_the_classic_way_a_pyramid_cannot():
    losses = small("small-c4", pooling="pool")(batch_of(noise(2), BOXES, CLASSES))
    assert losses["boxes"].item() > 0
    with pytest.raises(ValueError, match="a pyramid needs align"):
        small("small-fpn", pooling="pool")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rpn_negative": 0.8}, "rpn_negative 0.8 lies above rpn_positive 0.7"),
        ({"anchor_sizes": ((16,), ())}, "one or more sizes above 0"),
        ({"anchor_sizes": ((16,), (-4,))}, "one or more sizes above 0"),
        ({"anchor_ratios": ()}, "one or more ratios above 0"),
        ({"anchors": 3}, "Extra inputs are not permitted"),
        ({"roi_sample": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        changed(FPN, **changes)


def test_anchors_must_fit_the_maps():
    with pytest.raises(ValueError, match="1 lists for 5 feature maps"):
        built_with(anchor_sizes=((16,),))
    with pytest.raises(ValueError, match="as many sizes on every feature map"):
        built_with(anchor_sizes=((8, 12), (24,), (48,), (96,), (192,)))


def built_with(**options) -> FasterRcnn:
    with torch.device("meta"):
        return build_region_detector("faster-rcnn", "small-fpn", 2, **options)


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="no region-based detector 'rcnn'; there are faster-rcnn"):
        build_region_detector("rcnn", "small-c4", 2)
    with pytest.raises(ValueError, match="no region backbone 'resnet50'; there are resnet-50-c4"):
        build_region_detector("faster-rcnn", "resnet50", 2)

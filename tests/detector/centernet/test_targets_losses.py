"""Heatmap targets and losses: golden figures, borders, overlaps, ignore weights, saturated logits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spotlabel.detector.centernet.losses import (
    LossWeights,
    centre_l1_loss,
    clamped_sigmoid,
    detection_loss,
    heatmap_loss,
    segmentation_loss,
)
from spotlabel.detector.centernet.targets import batch_targets, gaussian, gaussian_radius, known_cells
from tests.helpers import hash_tensors
from tests.helpers.centre_targets import CentreTargets, centre_targets, object_by_object
from tests.helpers.detectors import mini


def one(box, grid=(32, 48), **more):
    return centre_targets(np.array([box], np.float32), np.array([0]), 1, grid, **more)


@pytest.mark.parametrize(
    ("height", "width", "radius"),
    [(1, 1, None), (10, 10, 2.733), (20, 40, 7.356), (32, 32, 8.746), (64, 96, 21.06), (5, 60, 2.69)],
)
def test_gaussian_radius(height, width, radius):
    measured = gaussian_radius(height, width)
    if radius is None:
        assert int(measured) == 0
    else:
        assert measured == pytest.approx(radius, rel=1e-3)
        assert gaussian_radius(width, height) == measured


def test_gaussian_row():
    kernel = gaussian(3)
    row = [0.03666, 0.23007, 0.69257, 1, 0.69257, 0.23007, 0.03666]
    assert kernel[3] == pytest.approx(row, abs=5e-6)
    assert np.array_equal(kernel, kernel.T)
    assert np.array_equal(gaussian(0), [[1]])


def test_an_object_becomes_a_peak_a_size_and_an_offset():
    targets = one([10.5, 4, 15, 10])
    assert targets.hm.shape == (1, 32, 48)
    assert np.argwhere(targets.hm == 1).tolist() == [[0, 7, 12]]
    assert targets.ind[0] == 7 * 48 + 12
    assert targets.wh[0].tolist() == [4.5, 6]
    assert targets.reg[0].tolist() == [0.75, 0]
    assert targets.mask.tolist() == [1] + [0] * 127
    assert (targets.wh.shape, targets.reg.shape, targets.ind.shape) == ((128, 2), (128, 2), (128,))


def test_boxes_are_clipped_and_empty_ones_leave_their_slot():
    boxes = np.array(
        [[-10, -10, 6, 4], [44, 10, 60, 20], [-5, 3, 0, 9], [50, 3, 60, 9], [3, 3, 3, 9]], np.float32
    )
    targets = centre_targets(boxes, np.zeros(5, np.int16), 1, (32, 48))
    assert targets.mask[:5].tolist() == [1, 1, 0, 0, 0]
    assert targets.wh[:3].tolist() == [[6, 4], [3, 10], [0, 0]]
    assert targets.ind[:2].tolist() == [2 * 48 + 3, 15 * 48 + 45]


def test_gaussians_are_cut_at_the_border():
    for x, y in ((1, 1), (30, 4), (6, 30)):
        box = np.array([x - 1, y - 1, x + 1, y + 1], np.float32)
        near, whole = one(box, (32, 32)), one(box + 10, (52, 52))
        assert np.array_equal(near.hm[0], whole.hm[0, 10:42, 10:42])


BOXES = st.lists(
    st.tuples(*[st.floats(-20, 70, width=32)] * 2, *[st.floats(-3, 60, width=32)] * 2, st.integers(0, 2)),
    max_size=40,
)


@settings(max_examples=60)
@given(BOXES, st.sampled_from([(32, 48), (24, 24), (5, 64)]), st.sampled_from([8, 128]))
def test_targets_are_those_of_one_object_after_the_other(rows, grid, slots):
    table = np.array(rows, np.float32).reshape(-1, 5)
    boxes, label = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], 1), table[:, 4].astype(int)
    found = centre_targets(boxes, label, 3, grid, slots)
    expected = object_by_object(boxes, label, 3, grid, slots)
    for name in CentreTargets.__dataclass_fields__:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def test_images_of_a_batch_do_not_touch_each_other():
    boxes = torch.tensor([[[8.0, 8, 40, 32], [20, 20, 60, 60]], [[0, 0, 30, 30], [0, 0, 0, 0]]])
    plane = torch.ones(2, 1, 64, 64)
    together = {
        "image": plane, "extent": torch.full((2, 2), 64), "boxes": boxes, "mask": plane, "known": plane,
        "classes": torch.tensor([[0, 1], [1, 0]]), "labelled": plane,
        "present": torch.tensor([[True, True], [True, False]]),
    }  # fmt: skip
    both = batch_targets(together, 2, 4)
    assert both["mask"].sum(1).tolist() == [2, 1]
    for k in range(2):
        alone = batch_targets({name: value[k : k + 1] for name, value in together.items()}, 2, 4)
        assert all(torch.equal(both[name][k : k + 1], alone[name]) for name in alone)
        expected = centre_targets(boxes[k, : 2 - k] / 4, together["classes"][k, : 2 - k], 2, (16, 16))
        assert np.array_equal(both["hm"][k], expected.hm)


def test_overlapping_objects_keep_the_maximum_and_classes_stay_apart():
    boxes = np.array([[5, 5, 25, 25], [11, 7, 31, 27]], np.float32)
    both = centre_targets(boxes, np.array([0, 0]), 2, (32, 48)).hm
    assert np.array_equal(both[0], np.maximum(one(boxes[0]).hm[0], one(boxes[1]).hm[0]))
    apart = centre_targets(boxes, np.array([0, 1]), 2, (32, 48)).hm
    assert np.array_equal(apart, [one(boxes[0]).hm[0], one(boxes[1]).hm[0]])


def test_the_129th_object_is_dropped():
    boxes = np.array([[i % 16, i // 16, i % 16 + 1, i // 16 + 1] for i in range(129)], np.float32)
    targets = centre_targets(boxes, np.zeros(129, np.int64), 1, (32, 48))
    assert targets.mask.sum() == 128
    assert targets.hm[0, 8, 0] == 0
    assert targets.hm[0, 7, 15] == 1


def test_no_objects_give_empty_targets():
    targets = centre_targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 3, (8, 8))
    assert targets.hm.shape == (3, 8, 8)
    assert not targets.hm.any()
    assert not targets.mask.any()


def test_cells_count_when_most_of_their_pixels_are_known():
    known = torch.ones(1, 1, 8, 12)
    known[..., 0:4, 0:2] = 0
    known[..., 0:4, 4:7] = 0
    known[..., 4:8, 8:9] = 0
    assert known_cells(known, 4)[0, 0].tolist() == [[0, 0, 1], [1, 1, 1]]


@pytest.fixture(scope="module")
def reference():
    logits = hash_tensors.tensor("hm", (2, 4, 32, 48), -4, 2)
    target = torch.from_numpy(hash_tensors.uniform("gt", 2 * 4 * 32 * 48) ** 6)
    target[::997] = 1
    ind = torch.from_numpy(np.floor(hash_tensors.uniform("ind", 256) * 1536).astype(np.int64)).reshape(2, 128)
    mask = torch.zeros(2, 128)  # single precision, like the masks of training: it decides the denominator
    mask[0, :37], mask[1, :5] = 1, 1
    return {
        "logits": logits,
        "target": target.reshape(2, 4, 32, 48),
        "ind": ind,
        "mask": mask,
        "wh": hash_tensors.tensor("wh", (2, 2, 32, 48), 0, 30),
        "whgt": hash_tensors.tensor("whgt", (2, 128, 2), 0, 30),
    }


def test_heatmap_loss_golden(reference):
    logits, target = reference["logits"], reference["target"]
    assert heatmap_loss(logits, target).item() == pytest.approx(185.93994687316314, rel=1e-9)
    no_centres = torch.where(target == 1, 0.9, target)
    assert heatmap_loss(logits, no_centres).item() == pytest.approx(2405.5079395439802, rel=1e-9)


def test_centre_l1_loss_golden(reference):
    loss = centre_l1_loss(reference["wh"], reference["whgt"], reference["ind"], reference["mask"])
    assert loss.item() == pytest.approx(12.01692868456691, rel=1e-9)
    nothing = centre_l1_loss(
        reference["wh"], reference["whgt"], reference["ind"], torch.zeros_like(reference["mask"])
    )
    assert nothing.item() == 0


def test_weights_take_negatives_out_but_never_centres(reference):
    logits, target = reference["logits"], reference["target"]
    weight = torch.ones(2, 1, 32, 48, dtype=torch.float64)
    assert heatmap_loss(logits, target, weight) == heatmap_loss(logits, target)
    weight[:, :, :, 20:] = 0
    masked = heatmap_loss(logits, target, weight)
    changed = torch.where((target == 1) | (weight == 1), logits, 7.0)
    assert heatmap_loss(changed, target, weight) == masked
    assert heatmap_loss(changed, target) > heatmap_loss(logits, target)
    only_centres = heatmap_loss(logits, target, torch.zeros_like(weight))
    score = logits[target == 1].sigmoid()
    expected = -((1 - score) ** 2 * score.log()).sum() / 13
    assert only_centres.item() == pytest.approx(expected.item(), rel=1e-12)


def test_segmentation_loss_is_a_mean_over_what_is_known():
    logits = hash_tensors.tensor("seg", (2, 1, 8, 12), -3, 3)
    target = hash_tensors.tensor("soft", (2, 1, 8, 12), 0, 1)
    plain = functional.binary_cross_entropy(logits.sigmoid(), target)
    assert segmentation_loss(logits, target).item() == pytest.approx(plain.item(), rel=1e-12)
    weight = torch.zeros_like(target)
    weight[:, :, 2:5] = 1
    known = functional.binary_cross_entropy(logits[:, :, 2:5].sigmoid(), target[:, :, 2:5])
    assert segmentation_loss(logits, target, weight).item() == pytest.approx(known.item(), rel=1e-12)
    assert segmentation_loss(logits, target, torch.zeros_like(weight)).item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_saturated_logits_stay_finite(dtype):
    logits = torch.tensor([50.0, -50.0, 50.0, -50.0]).reshape(1, 1, 2, 2).to(dtype).requires_grad_()
    target = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    score = clamped_sigmoid(logits)
    assert score.dtype == torch.float32
    assert score.max() < 1
    assert score.min() > 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = heatmap_loss(logits, target) + segmentation_loss(logits, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    # A missed centre and a false alarm at the clamp, over two centres; BCE adds 50 for each of both.
    expected = -2 * np.log(1e-4) * (1 - 1e-4) ** 2 / 2 + 25
    assert loss.item() == pytest.approx(expected, rel=1e-3)


def batch(seg=True):
    targets = centre_targets(np.array([[3, 3, 9, 8], [8, 2, 14, 12]]), np.array([0, 1]), 2, (16, 16))
    columns = {k: torch.from_numpy(v).unsqueeze(0) for k, v in vars(targets).items()}
    return {**columns, "seg": hash_tensors.tensor("mask", (1, 1, 64, 64), 0, 1)} if seg else columns


def test_total_is_the_weighted_sum_of_stack_means():
    model, targets = mini("spotnet-released"), batch()
    with torch.no_grad():
        stacks = model.outputs(hash_tensors.tensor("image", (1, 3, 64, 64), -2, 2))
    losses = detection_loss(stacks, targets)
    assert set(losses) == {"hm", "wh", "reg", "seg", "total"}
    for name in ("hm", "wh", "reg", "seg"):
        alone = [detection_loss([stack], targets)[name].item() for stack in stacks]
        assert losses[name].item() == pytest.approx(sum(alone) / 2, rel=1e-12)
    expected = losses["hm"] + 0.1 * losses["wh"] + losses["reg"] + losses["seg"]
    assert losses["total"].item() == pytest.approx(expected.item(), rel=1e-12)
    lighter = detection_loss(stacks, targets, LossWeights(seg=0.1))
    assert lighter["total"].item() == pytest.approx((expected - 0.9 * losses["seg"]).item(), rel=1e-12)


def test_a_network_without_segmentation_needs_no_mask():
    with torch.no_grad():
        stacks = mini("centernet").outputs(hash_tensors.tensor("image", (1, 3, 64, 64), -2, 2))
    assert set(detection_loss(stacks, batch(seg=False))) == {"hm", "wh", "reg", "total"}

"""Torchvision's Faster R-CNN and its parts in double precision: same weights, same pictures, same numbers.

The figures are made by ``benchmarks/golden_torchvision.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spotlabel.detector.networks.resnet import RESNET_18, Trunk
from spotlabel.detector.regions.anchors import cell_anchors, grid_anchors
from spotlabel.detector.regions.backbones import Parts, Pyramid, resnet_c4
from spotlabel.detector.regions.boxes import decode, encode
from spotlabel.detector.regions.checkpoint import load_torchvision
from spotlabel.detector.regions.heads import CODING, TwoLayers
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.nms import suppress_in_blocks
from spotlabel.detector.regions.options import C4, FPN, RegionOptions, changed
from spotlabel.detector.regions.pooling import roi_align, roi_pool
from spotlabel.detector.regions.rpn import propose
from tests.helpers import regions_golden as shared

torch.set_num_threads(1)

GOLDEN = Path(__file__).parent / "golden"
PARTS = np.load(GOLDEN / "parts.npz", allow_pickle=False)
NETWORKS = json.loads((GOLDEN / "networks.json").read_text(encoding="utf-8"))
EVERYTHING = {"rpn_sample": 10**6, "rpn_share": 1, "roi_sample": 10**6, "roi_share": 1, "frozen_stages": 0}
NAMES = {
    "rpn_objectness": "loss_objectness",
    "rpn_boxes": "loss_rpn_box_reg",
    "classification": "loss_classifier",
    "boxes": "loss_box_reg",
}


def part(name: str) -> Tensor:
    return torch.from_numpy(PARTS[name])


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected.to(found), rtol=1e-9, atol=1e-9)


def exact(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_anchors() -> None:
    found = grid_anchors(cell_anchors((128, 256, 512), shared.RATIOS), (3, 4), 16)
    assert torch.equal(found, part("anchors_c4"))
    levels = [
        grid_anchors(cell_anchors((size,), shared.RATIOS), grid, stride)
        for size, grid, stride in ((8, (8, 12), 4), (16, (4, 6), 8), (32, (2, 3), 16))
    ]
    assert torch.equal(torch.cat(levels), part("anchors_fpn"))


def test_box_coding() -> None:
    references, goals = shared.rois()
    close(encode(goals, references, CODING), part("encoded"))
    close(decode(shared.deltas(), references, CODING), part("decoded"))


def test_roi_align() -> None:
    found = roi_align([shared.feature()], [shared.STRIDE], shared.rois(), 7)
    close(found.flatten(0, 1), part("align"))
    found = roi_align([shared.feature()], [shared.STRIDE], shared.rois(), 7, half_pixel=True)
    close(found.flatten(0, 1), part("align_half_pixel"))
    single = roi_align([shared.feature().float()], [shared.STRIDE], shared.rois().float(), 7)
    torch.testing.assert_close(single.flatten(0, 1), part("align").float(), rtol=0, atol=1e-5)


def test_roi_pool() -> None:
    found = roi_pool(shared.feature(), shared.STRIDE, shared.rois(), 7)
    assert torch.equal(found.flatten(0, 1).float(), part("pool"))


@pytest.mark.parametrize("threshold", shared.THRESHOLDS)
def test_suppression(threshold: float) -> None:
    boxes, scores = shared.crowd()
    order = scores.argsort(descending=True, stable=True)
    ranked, every = boxes[order].float()[None], torch.ones(1, len(boxes), dtype=torch.bool)
    kept = suppress_in_blocks(ranked, every, threshold, len(boxes))[0]
    assert torch.equal(order[kept], part(f"nms_{threshold}"))


def fpn_parts(options: RegionOptions) -> Parts:
    trunk = Trunk(RESNET_18)
    return Parts(Pyramid(trunk, trunk.widths), TwoLayers(256, options.pool_size, 1024))


def network(name: str) -> FasterRcnn:
    """Torchvision's weights, through the import, in double precision."""
    own, usual = (shared.FPN, FPN) if name == "fpn" else (shared.C4, C4)
    options = changed(usual, **own, **EVERYTHING, box_beta=1 / 9)
    parts = fpn_parts(options) if name == "fpn" else resnet_c4(RESNET_18)
    model = FasterRcnn(parts, shared.CLASSES, options).double()
    named = NETWORKS[name]["names"]
    weights = {key: shared.parameter(key, tuple(shape)) for key, shape in named.items()}
    report = load_torchvision(model, weights)
    assert not report.new + report.skipped + report.unknown
    return model


def batch() -> dict[str, Tensor]:
    boxes, classes = shared.objects()
    batch, most = len(boxes), max(map(len, boxes))
    found = {
        "image": shared.pictures().flip(1),  # BGR
        "extent": torch.tensor(shared.EXTENTS),
        "boxes": torch.zeros(batch, most, 4).double(),
        "classes": torch.zeros(batch, most, dtype=torch.int64),
        "present": torch.zeros(batch, most, dtype=torch.bool),
        "labelled": torch.ones(batch, 1, *shared.CANVAS).double(),
    }
    for picture, (own, labels) in enumerate(zip(boxes, classes, strict=True)):
        found["boxes"][picture, : len(own)] = own
        found["classes"][picture, : len(own)] = labels
        found["present"][picture, : len(own)] = True
    return found


@pytest.mark.parametrize("name", ["fpn", "c4"])
def test_a_whole_network(name: str) -> None:
    golden, model, data = NETWORKS[name], network(name), batch()
    losses = model.train()(data)
    for ours, theirs in NAMES.items():
        # Torchvision's targets of the anchors are in single precision, and so is this loss.
        near = 1e-7 if ours == "rpn_objectness" else 1e-9
        assert losses[ours].item() == pytest.approx(golden["losses"][theirs], rel=near)
    assert losses["total"].item() == pytest.approx(sum(golden["losses"].values()), rel=1e-7)
    model.eval()
    options = model.options
    with torch.no_grad():
        look = model.look(data["image"])
        levels = model.rpn(look.proposing)
        proposals = propose(
            levels, data["extent"], options.test_before, options.test_after, options.proposal_iou
        )
        found = model.find(data["image"], shared.DETECTIONS, extent=data["extent"])
    for picture, (few, detected) in enumerate(zip(golden["proposals"], golden["detections"], strict=True)):
        assert int(proposals.valid[picture].sum()) == few["count"]
        kept = proposals.boxes[picture][proposals.valid[picture]]
        close(kept[:20], exact(few["first"]))
        close(kept.sum(0), exact(few["sum"]))
        count = len(detected["scores"])
        assert count > 5
        close(found.scores[picture, :count], exact(detected["scores"]))
        close(found.boxes[picture, :count], exact(detected["boxes"]))
        assert (found.classes[picture, :count] + 1).tolist() == detected["labels"]
        assert not found.scores[picture, count:].any()

"""Numbers of torchvision's Faster R-CNN and of its parts, for the tests of ``detector/regions``.

Run where torchvision imports (a build of torch for CUDA will do, without a GPU)::

    PYTHONPATH=. python benchmarks/golden_torchvision.py

Inputs and weights come from a formula (``tests/helpers/hash_tensors.py``), so that only results are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torchvision import ops
from torchvision.models import resnet18
from torchvision.models.detection import FasterRCNN, fasterrcnn_resnet50_fpn
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList

from tests.helpers import regions_golden as shared

FOLDER = Path("tests/detector/regions/golden")
EVERYTHING = 10**6
"""More than there are anchors: nothing is drawn, all are trained on."""


class Stages4(nn.Module):
    """A body of one feature map, as torchvision wants it."""

    out_channels = 256

    def __init__(self) -> None:
        super().__init__()
        trunk = resnet18(weights=None, norm_layer=ops.FrozenBatchNorm2d)
        self.body = nn.Module()
        for name in ("conv1", "bn1", "layer1", "layer2", "layer3"):
            self.body.add_module(name, trunk.get_submodule(name))
        self.top = [trunk.layer4]  # in a list: not a part of the body

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, 3, H, W] to [B, 256, H/16, W/16]."""
        x = nn.functional.max_pool2d(self.body.bn1(self.body.conv1(x)).relu(), 3, 2, 1)
        found: Tensor = self.body.layer3(self.body.layer2(self.body.layer1(x)))
        return found


class Conv5(nn.Module):
    """The fifth stage as a head."""

    def __init__(self, layer4: nn.Module) -> None:
        super().__init__()
        self.layer4 = layer4

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, 256, 14, 14] to [N, 512]."""
        found: Tensor = self.layer4(x).mean(dim=(2, 3))
        return found


def fpn_network() -> FasterRCNN:
    """On a pyramid."""
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    sizes = shared.FPN["anchor_sizes"]
    return FasterRCNN(
        backbone,
        num_classes=shared.CLASSES + 1,
        rpn_anchor_generator=AnchorGenerator(sizes, (shared.RATIOS,) * len(sizes)),
        **numbers(shared.FPN),
    )


def c4_network() -> FasterRCNN:
    """On one feature map, with conv5 as the head."""
    backbone = Stages4()
    return FasterRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(shared.C4["anchor_sizes"], (shared.RATIOS,)),
        box_roi_pool=ops.MultiScaleRoIAlign(["0"], 14, 2),
        box_head=Conv5(backbone.top[0]),
        box_predictor=FastRCNNPredictor(512, shared.CLASSES + 1),
        **numbers(shared.C4),
    )


def numbers(options: Mapping[str, Any]) -> dict[str, Any]:
    """Our options under torchvision's names; all anchors and regions are trained on."""
    return {
        "rpn_pre_nms_top_n_train": options["train_before"],
        "rpn_post_nms_top_n_train": options["train_after"],
        "rpn_pre_nms_top_n_test": options["test_before"],
        "rpn_post_nms_top_n_test": options["test_after"],
        "rpn_batch_size_per_image": EVERYTHING,
        "rpn_positive_fraction": 1.0,
        "box_batch_size_per_image": EVERYTHING,
        "box_positive_fraction": 1.0,
        "box_score_thresh": 0.05,
        "box_nms_thresh": 0.5,
        "box_detections_per_img": shared.DETECTIONS,
    }


def network_figures(network: FasterRCNN) -> dict[str, Any]:
    """Losses, proposals and detections of two pictures on one canvas."""
    network.double()
    state = {k: shared.parameter(k, tuple(v.shape)) for k, v in network.state_dict().items()}
    network.load_state_dict(state)
    pictures = ImageList(shared.pictures(), shared.EXTENTS)
    targets = [{"boxes": b, "labels": c + 1} for b, c in zip(*shared.objects(), strict=True)]
    network.train()
    features = features_of(network, pictures.tensors)
    proposals, losses = network.rpn(pictures, features, targets)
    _, more = network.roi_heads(features, proposals, pictures.image_sizes, targets)
    network.eval()
    with torch.no_grad():
        features = features_of(network, pictures.tensors)
        proposals, _ = network.rpn(pictures, features)
        found, _ = network.roi_heads(features, proposals, pictures.image_sizes)
    return {
        "names": {name: list(value.shape) for name, value in state.items()},
        "losses": {name: value.item() for name, value in {**losses, **more}.items()},
        "proposals": [
            {"count": len(p), "first": p[:20].tolist(), "sum": p.sum(0).tolist()} for p in proposals
        ],
        "detections": [{name: value.tolist() for name, value in one.items()} for one in found],
    }


def features_of(network: FasterRCNN, images: Tensor) -> dict[str, Tensor]:
    """Feature maps by torchvision's names."""
    found = network.backbone(images)
    return {"0": found} if isinstance(found, Tensor) else found


def part_figures() -> dict[str, np.ndarray]:
    """Results of the parts, on inputs by formula."""
    feature, rois = shared.feature(), shared.rois()
    table = torch.cat(
        [torch.arange(2).repeat_interleave(rois.shape[1])[:, None].double(), rois.flatten(0, 1)], 1
    )
    scale = 1 / shared.STRIDE
    boxes, scores = shared.crowd()
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    references, goals = rois[0], rois[1]
    found = {
        "align": ops.roi_align(feature, table, 7, scale, 2),
        "align_half_pixel": ops.roi_align(feature, table, 7, scale, 2, aligned=True),
        "pool": ops.roi_pool(feature, table, 7, scale),
        "encoded": coder.encode([goals], [references])[0],
        "decoded": coder.decode(shared.deltas(), [references])[:, 0],
        "anchors_c4": anchors(((128, 256, 512),), [(3, 4)]),
        "anchors_fpn": anchors(((8,), (16,), (32,)), [(8, 12), (4, 6), (2, 3)]),
    }
    for threshold in shared.THRESHOLDS:
        found[f"nms_{threshold}"] = ops.nms(boxes.float(), scores.float(), threshold)
    return {name: value.numpy() for name, value in found.items()}


def anchors(sizes: tuple[tuple[int, ...], ...], grids: list[tuple[int, int]]) -> Tensor:
    """Anchors of a canvas of 48 x 64 (C4) or 32 x 48 (FPN)."""
    generator = AnchorGenerator(sizes, (shared.RATIOS,) * len(sizes))
    canvas = (48, 64) if len(sizes) == 1 else (32, 48)
    images = ImageList(torch.zeros(1, 3, *canvas), [canvas])
    found: Tensor = generator(images, [torch.zeros(1, 1, *grid) for grid in grids])[0]
    return found


def main() -> None:
    """Write the figures."""
    torch.manual_seed(0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    compact = {
        name: value.astype(np.float32) if name == "pool" else value for name, value in part_figures().items()
    }
    np.savez_compressed(FOLDER / "parts.npz", **compact)
    public = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    figures = {
        "torchvision": torchvision.__version__,
        "fpn": network_figures(fpn_network()),
        "c4": network_figures(c4_network()),
        "resnet50_fpn": {name: list(value.shape) for name, value in public.items()},
    }
    (FOLDER / "networks.json").write_text(json.dumps(figures, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

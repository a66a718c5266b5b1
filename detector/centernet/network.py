"""CenterNet, and SpotNet as CenterNet with a segmentation head and a gate.

CenterNet: Zhou et al., "Objects as Points", 2019. SpotNet: Perreault et al., CRV 2020.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spotlabel.detector.centernet.decode import found_in
from spotlabel.detector.centernet.gate import Gate, GateMode
from spotlabel.detector.centernet.heads import (
    SEG_STRIDE,
    SegHead,
    heatmap_head,
    point_head,
    segmentation_head,
)
from spotlabel.detector.centernet.losses import LossWeights, detection_loss
from spotlabel.detector.centernet.targets import batch_targets
from spotlabel.detector.centernet.tensors import Outputs
from spotlabel.detector.centernet.unet import UNetHead
from spotlabel.detector.contract import Attention, Batch, Detector, Found
from spotlabel.detector.networks.backbone import Backbone
from spotlabel.detector.tensors import uncompiled

SEG = Attention("attention", logits=True, foreground=True)
"""The segmentation logits, which steer the other heads where there is a gate."""


class CenterNet(Detector):
    """Finds objects as peaks of a heatmap; segments them where it has a segmentation head.

    Args:
        backbone: gives the feature maps; its parameters appear under ``backbone.``, the heads under the names
            of the public checkpoints (:mod:`spotlabel.detector.checkpoint` drops the prefix).
        classes: channels of the heatmap.
        seg_head: kind of segmentation head.
        gate: what the segmentation does to the other heads.

    Attributes:
        weights: factors of the loss terms.

    Raises:
        ValueError: a gate without a segmentation head, or one that does not fit the backbone's stride.
    """

    static_graph = True

    def __init__(
        self, backbone: Backbone, classes: int, seg_head: SegHead = SegHead.NONE, gate: Gate | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classes = classes
        self.weights = LossWeights()
        self.gate = gate or Gate()
        if seg_head is SegHead.NONE and self.gate.mode is not GateMode.NONE:
            raise ValueError(f"gate {self.gate.mode} needs a segmentation head")
        if seg_head is not SegHead.NONE and backbone.stride != SEG_STRIDE:
            raise ValueError(
                f"segmentation heads need a backbone of stride {SEG_STRIDE}, not {backbone.stride}"
            )
        width, maps = backbone.channels, range(backbone.maps)
        self.hm = nn.ModuleList(heatmap_head(width, classes) for _ in maps)
        self.wh = nn.ModuleList(point_head(width, 2) for _ in maps)
        self.reg = nn.ModuleList(point_head(width, 2) for _ in maps)
        segmenting = maps if seg_head is not SegHead.NONE else range(0)
        self.seg = nn.ModuleList(segmentation_head(seg_head, width) for _ in segmenting)
        finest = UNetHead.multiple * backbone.stride if seg_head is SegHead.UNET else 1
        self.multiple = math.lcm(backbone.multiple, finest)
        self.attentions = {"seg": SEG} if len(self.seg) else {}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of :func:`spotlabel.detector.centernet.losses.detection_loss` and their ``total``."""
        return self._losses(self.outputs(batch["image"]), batch)

    @uncompiled
    def _losses(self, stacks: list[Outputs], batch: Batch) -> dict[str, Tensor]:
        with torch.autocast(batch["image"].device.type, enabled=False):
            targets = batch_targets(batch, self.classes, self.backbone.stride)
            return detection_loss(stacks, targets, self.weights, self.share)

    def find(
        self,
        image: Tensor,
        count: int,
        *,
        extent: Tensor | None = None,
        flip: bool = False,
        attention: bool = False,
    ) -> Found:
        """The ``count`` highest peaks of each picture; padding is looked at like the rest.

        Heatmap, sizes and attention are averaged with those of the mirrored picture; see
        :func:`spotlabel.detector.centernet.decode.flip_average`.
        """
        plain = self.outputs(image, last_only=True)[-1]
        mirrored = self.outputs(image.flip(3), last_only=True)[-1] if flip else None
        return found_in(plain, mirrored, self.backbone.stride, count, attention)

    def graph(self, count: int) -> nn.Module:
        """See :meth:`spotlabel.detector.contract.Detector.graph`."""
        return _Graph(self, count)

    def outputs(self, image: Tensor, last_only: bool = False) -> list[Outputs]:
        """Run the network.

        Args:
            image: [B, 3, H, W], normalised BGR; H and W are multiples of :attr:`multiple`.
            last_only: compute the heads of the last feature map alone, which is all that inference needs.

        Returns:
            One dict per feature map (h = H/stride, w = W/stride), first stack first:
                ``hm``: [B, classes, h, w], heatmap logits.
                ``wh``: [B, 2, h, w], width and height in cells.
                ``reg``: [B, 2, h, w], x and y offset of the centre inside its cell.
                ``seg``: [B, 1, H, W], segmentation logits; absent without a segmentation head.

        Raises:
            ValueError: H or W does not fit.
        """
        height, width = image.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"input of {height}x{width}: both sides must be multiples of {self.multiple} (pad the image)"
            )
        features: list[Tensor] = self.backbone(image)  # each [B, channels, h, w]
        first = len(features) - 1 if last_only else 0
        return [self._heads(k, features[k]) for k in range(first, len(features))]

    def _heads(self, k: int, feature: Tensor) -> Outputs:
        seg = self.seg[k](feature) if len(self.seg) else None  # [B, 1, H, W]
        attention = None if seg is None else self.gate.attention(seg, self.backbone.stride)  # [B, 1, h, w]
        heads = {"hm": self.hm[k], "wh": self.wh[k], "reg": self.reg[k]}
        outputs = {name: self.gate.apply(name, head, feature, attention) for name, head in heads.items()}
        return outputs if seg is None else {**outputs, "seg": seg}


class _Graph(nn.Module):
    """From canvases to what was found on them, one tensor each."""

    def __init__(self, network: CenterNet, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.network.find(image, self.count, attention=bool(self.network.attentions))
        return (found.boxes, found.scores, found.classes, *found.attention.values())

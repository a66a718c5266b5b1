"""CenterNet, and SpotNet as CenterNet with a segmentation head and a gate.

CenterNet: Zhou et al., "Objects as Points", 2019. SpotNet: Perreault et al., CRV 2020.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from spotlabel.detector.centernet.gate import Gate, GateMode
from spotlabel.detector.centernet.heads import (
    SEG_STRIDE,
    SegHead,
    heatmap_head,
    point_head,
    segmentation_head,
)
from spotlabel.detector.centernet.unet import UNetHead
from spotlabel.detector.networks.backbone import Backbone

Outputs = dict[str, Tensor]


class CenterNet(nn.Module):
    """Finds objects as peaks of a heatmap; segments them where it has a segmentation head.

    Args:
        backbone: gives the feature maps; its parameters appear under ``backbone.``, the heads under the names
            of the public checkpoints (:mod:`spotlabel.detector.centernet.checkpoint` drops the prefix).
        classes: channels of the heatmap.
        seg_head: kind of segmentation head.
        gate: what the segmentation does to the other heads.

    Raises:
        ValueError: a gate without a segmentation head, or one that does not fit the backbone's stride.
    """

    def __init__(
        self, backbone: Backbone, classes: int, seg_head: SegHead = SegHead.NONE, gate: Gate | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classes = classes
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

    def forward(self, image: Tensor, last_only: bool = False) -> list[Outputs]:
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

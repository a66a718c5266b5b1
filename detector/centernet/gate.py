"""Attention: a segmentation map steers the heads that find objects (SpotNet, Perreault et al., CRV 2020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from torch import Tensor
from torch.nn import functional

GATEABLE = frozenset({"hm", "wh", "reg"})


class GateMode(StrEnum):
    """What the segmentation does to a head."""

    NONE = "none"
    MUL_LOGIT = "mul_logit"
    """Features times raw logits: the released SpotNet. Meant for fine-tuning; unstable from scratch."""
    MUL_SIGMOID = "mul_sigmoid"
    """Features times probabilities: the paper's text."""
    ADD_LOGIT = "add_logit"
    """Logits added to the heatmap's logits: SpotNet2."""


class GatePool(StrEnum):
    """How the segmentation comes down to the size of the feature map."""

    MAX = "max"
    AVG = "avg"
    BILINEAR = "bilinear"


@dataclass(frozen=True)
class Gate:
    """How and where the segmentation gates the heads; has no parameters.

    Attributes:
        mode: see :class:`GateMode`.
        pool: see :class:`GatePool`; probabilities are pooled under ``mul_sigmoid``, logits otherwise.
        targets: gated heads, a subset of ``hm``, ``wh``, ``reg``.
    """

    mode: GateMode = GateMode.NONE
    pool: GatePool = GatePool.MAX
    targets: frozenset[str] = field(default=frozenset({"hm"}))

    def __post_init__(self) -> None:
        if not self.targets <= GATEABLE:
            raise ValueError(f"gate targets {sorted(self.targets)}: expected a subset of {sorted(GATEABLE)}")
        if self.mode is GateMode.ADD_LOGIT and self.targets != {"hm"}:
            raise ValueError(f"gate add_logit adds to heatmap logits only, not to {sorted(self.targets)}")

    def attention(self, seg: Tensor, stride: int) -> Tensor | None:
        """Attention map [B, 1, h, w] of logits [B, 1, stride*h, stride*w]; None under mode ``none``."""
        if self.mode is GateMode.NONE:
            return None
        weights = seg.sigmoid() if self.mode is GateMode.MUL_SIGMOID else seg
        if self.pool is GatePool.MAX:
            return functional.max_pool2d(weights, stride)
        if self.pool is GatePool.AVG:
            return functional.avg_pool2d(weights, stride)
        size = (seg.shape[-2] // stride, seg.shape[-1] // stride)
        return functional.interpolate(weights, size, mode="bilinear", align_corners=True)

    def apply(
        self, target: str, head: Callable[[Tensor], Tensor], feature: Tensor, attention: Tensor | None
    ) -> Tensor:
        """Output of ``head`` on ``feature`` [B, channels, h, w], gated by [B, 1, h, w] or not."""
        if attention is None or target not in self.targets:
            return head(feature)
        if self.mode is GateMode.ADD_LOGIT:
            return head(feature) + attention
        return head(feature * attention)

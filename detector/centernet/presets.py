"""Named combinations of segmentation head and gate; any of them goes with any backbone."""

from __future__ import annotations

from dataclasses import dataclass

from spotlabel.detector.centernet.gate import Gate, GateMode
from spotlabel.detector.centernet.heads import SegHead
from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.networks.backbone import Backbone


@dataclass(frozen=True)
class Preset:
    """What makes a CenterNet one of the SpotNets."""

    seg_head: SegHead
    gate: Gate


PRESETS = {
    "centernet": Preset(SegHead.NONE, Gate()),
    "spotnet-multitask": Preset(SegHead.CONV2, Gate()),
    "spotnet-released": Preset(SegHead.CONV2, Gate(GateMode.MUL_LOGIT)),
    "spotnet-paper": Preset(
        SegHead.CONV3, Gate(GateMode.MUL_SIGMOID, targets=frozenset({"hm", "wh", "reg"}))
    ),
    "spotnet2": Preset(SegHead.UNET, Gate(GateMode.ADD_LOGIT)),
}


def build_detector(preset: str, backbone: Backbone, classes: int) -> CenterNet:
    """The detector ``preset`` on ``backbone`` with ``classes`` object classes.

    Raises:
        ValueError: there is no preset of this name.
    """
    if preset not in PRESETS:
        raise ValueError(f"no detector preset {preset!r}; there are {', '.join(PRESETS)}")
    parts = PRESETS[preset]
    return CenterNet(backbone, classes, parts.seg_head, parts.gate)

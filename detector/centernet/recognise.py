"""Which CenterNet or SpotNet a public checkpoint holds, by the names and shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spotlabel.detector.checkpoint import COUNTER, public_name
from spotlabel.detector.coco_names import COCO_NAMES
from spotlabel.detector.family import Recognised
from spotlabel.detector.networks.backbones import BACKBONES, build_backbone

HEATMAP = "hm.0.1.weight"
HEADS = ("hm.", "wh.", "reg.", "seg.")
LAST_LAYERS = {
    "seg.0.3.weight": "spotnet-released",
    "seg.0.4.weight": "spotnet-paper",
    "seg.0.outc.conv.weight": "spotnet2",
}
"""The last layer of each segmentation head, and the published network that has it. ``spotnet-multitask`` has
the tensors of ``spotnet-released`` and cannot be told from it."""


def recognise(tensors: Mapping[str, Tensor]) -> Recognised | None:
    """See :meth:`spotlabel.detector.family.Family.recognise`."""
    own = {public_name(name): value for name, value in tensors.items()}
    if HEATMAP not in own:
        return None
    preset = next((known for name, known in LAST_LAYERS.items() if name in own), "centernet")
    classes = len(own[HEATMAP])
    names = {1: ("object",), len(COCO_NAMES): COCO_NAMES}.get(classes, ())
    return Recognised(preset, _backbone(own), tensors, classes, names)


def _backbone(own: Mapping[str, Tensor]) -> str:
    """The backbone all of whose tensors are there, with none left over; empty if there is none."""
    found = {name: value.shape for name, value in own.items() if not name.startswith((*HEADS, "SqEx."))}
    found = {name: shape for name, shape in found.items() if not name.endswith(COUNTER)}
    for backbone in BACKBONES:
        with torch.device("meta"):
            state = build_backbone(backbone).state_dict()
        if found == {name: value.shape for name, value in state.items() if not name.endswith(COUNTER)}:
            return backbone
    return ""

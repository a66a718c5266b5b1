"""Which of torchvision's Faster R-CNNs a checkpoint holds, by the names and shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from spotlabel.detector.coco_names import COCO_NAMES, COCO_USED_IDS
from spotlabel.detector.family import Recognised
from spotlabel.detector.regions.checkpoint import HIDDEN, PREDICTOR

SCORES, BOXES = f"{PREDICTOR}cls_score.", f"{PREDICTOR}bbox_pred."
DEPTHS = {
    (6, "backbone.fpn."): "resnet-50-fpn",
    (23, "backbone.fpn."): "resnet-101-fpn",
}
"""Blocks of the third stage, and what stands on the body."""
SIDES = (800, 1333)
"""Pixels of the shorter side and most of the longer one, which torchvision's detectors see."""


def recognise(tensors: Mapping[str, Tensor], named: bool) -> Recognised | None:
    """See :meth:`spotlabel.detector.family.Family.recognise`.

    Classes of a detector of all of COCO's 91 ids that no category has are left out unless ``named``.
    """
    scores = tensors.get(f"{SCORES}weight")
    if scores is None or not any(name.startswith(HIDDEN) for name in tensors):
        return None
    if named or len(scores) != COCO_USED_IDS[-1] + 1:
        classes = len(scores) - 1
        names = ("object",) if classes == 1 else ()
        return Recognised("faster-rcnn", _backbone(tensors), tensors, classes, names, SIDES)
    used = _of_classes(tensors, [0, *COCO_USED_IDS])
    return Recognised("faster-rcnn", _backbone(tensors), used, len(COCO_NAMES), COCO_NAMES, SIDES)


def _backbone(tensors: Mapping[str, Tensor]) -> str:
    stage = "backbone.body.layer3."
    blocks = {name.removeprefix(stage).partition(".")[0] for name in tensors if name.startswith(stage)}
    for (count, kind), backbone in DEPTHS.items():
        if len(blocks) == count and any(name.startswith(kind) for name in tensors):
            return backbone
    return ""


def _of_classes(tensors: Mapping[str, Tensor], kept: list[int]) -> dict[str, Tensor]:
    """The tensors with the rows of some classes alone in the last layers; 0 is the background."""
    found = dict(tensors)
    for name, value in tensors.items():
        if name.startswith(SCORES):
            found[name] = value[kept]
        elif name.startswith(BOXES):
            found[name] = value.reshape(-1, 4, *value.shape[1:])[kept].flatten(0, 1)
    return found

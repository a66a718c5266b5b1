"""The formats by their names."""

from __future__ import annotations

from spotlabel.pipeline.exports.formats import coco, cvat, labelme, mots, png, voc, yolo_seg, youtube_vis
from spotlabel.pipeline.exports.formats.base import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (coco, youtube_vis, mots, yolo_seg, png, voc, cvat, labelme)
}

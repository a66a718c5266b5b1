"""Native boxes of one picture, fitted to it and translated to a detector's classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.picture import Float32, Int64
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects


class Fitted(NamedTuple):
    """Columns of a :class:`spotlabel.detector.data.stills.picture.Picture`."""

    boxes: Float32
    class_id: Int64
    ignore: Float32


def fit(
    native: NativeBoxes, ignore: NativeRects, size: tuple[int, int], origin: float, classes: ClassMap
) -> Fitted:
    """Cut boxes and ignore regions at the borders of the picture.

    Args:
        native: boxes with frame number 0.
        ignore: regions, likewise.
        size: height and width of the picture.
        origin: native coordinate of its left and top edge.
        classes: the detector's classes; boxes of others are left out.

    Raises:
        DatasetError: names the file, the box and the field of a box without area or of absurd size.
    """
    canvas = Canvas(size, np.zeros(1, np.int64), origin, "refuse")
    found = build_annotations(native, canvas, per_frame=ignore)
    class_id = classes.indices(native.class_names)[found.boxes.class_id]
    kept = class_id >= 0
    return Fitted(found.boxes.xyxy[kept], class_id[kept], found.regions.xyxy)

"""YOLO segmentation (Ultralytics): a text file for every image, a polygon for every object.

A row is one polygon, so parts and holes are joined by bridges (:mod:`spotlabel.pipeline.exports.polygons`).
Coordinates are shares of width and height. Classes count from 0. The format has nothing for
what is unknown: an object without a mask looks like background, and images of which nothing is known are left
out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.frame import ExportFrame, Piece
from spotlabel.pipeline.exports.polygons import kept_iou, polygon
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video

SETTINGS = "data.yaml"
_FEWEST_VERTICES = 3
_INSIDE = 0.25
"""From the edge of a pixel to where its vertex is written: Ultralytics cuts coordinates to whole pixels,
supervision rounds them, and both come back to this pixel."""


class YoloSegWriter:
    """Writes ``labels/<video>/<image>.txt``."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video, self._stage = video, stage
        self._kept, self._worst, self._count, self._unknown, self._regions = 0.0, 1.0, 0, 0, 0

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        rows = []
        for instance in frame.instances:
            assert instance.piece is not None
            rows.append(f"{self._video.class_of[instance.class_id]} {self._polygon(instance.piece)}\n")
        self._unknown += len(frame.unknown)
        self._regions += frame.rest is not None
        name = f"labels/{self._video.stem}/{self._video.image_stem(frame.index)}.txt"
        self._stage.write(name, "".join(rows).encode())

    def _polygon(self, piece: Piece) -> str:
        points = polygon(piece)
        iou = kept_iou(piece, points)
        self._kept, self._worst, self._count = self._kept + iou, min(self._worst, iou), self._count + 1
        height, width = self._video.size
        pairs = points.tolist()
        pairs += [pairs[-1]] * (_FEWEST_VERTICES - len(pairs))
        return " ".join(f"{(x + _INSIDE) / width:.6f} {(y + _INSIDE) / height:.6f}" for x, y in pairs)

    def finish(self) -> list[str]:
        """What is lost in polygons."""
        told = []
        if self._count:
            mean = self._kept / self._count
            told.append(
                f"polygons: mean IoU with the masks {mean:.4f} (lost {1 - mean:.4f}), worst {self._worst:.3f}"
            )
        if self._unknown:
            told.append(f"{self._unknown} objects without a mask look like background: YOLO has no unknown")
        if self._regions:
            told.append(
                f"{self._regions} frames have further unknown pixels (ignore regions) that look like "
                "background"
            )
        return told


def finish(to: Path, parts: Sequence[Part], classes: tuple[str, ...]) -> None:
    """Write ``data.yaml``; JSON is YAML, and escapes whatever names hold."""
    images = [f"images/{part.stem}" for part in parts]
    names = "".join(f"  {place}: {json.dumps(name)}\n" for place, name in enumerate(classes))
    text = f"path: .\ntrain: {json.dumps(images)}\nval: {json.dumps(images)}\nnames:\n{names}"
    write_atomically(to / SETTINGS, text.encode())


FORMAT = Format(
    name="yolo-seg",
    writer=YoloSegWriter,
    own=("images/{}", "labels/{}"),
    images="images/{}",
    common=(SETTINGS,),
    finish=finish,
)

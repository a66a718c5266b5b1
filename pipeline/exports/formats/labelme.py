"""labelme: a JSON file beside every image, masks as pictures inside their boxes.

``group_id`` is the object's track id. What is unknown has the label ``__ignore__``, which labelme's own
converters know; of an object without a mask these are the unknown pixels of its box.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path

import cv2

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.exports.document import compact
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.frame import ExportFrame, Instance, Piece
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video
from spotlabel.pipeline.text import one_line

VERSION = "5.5.0"
"""Of labelme, whose files these are like; masks came with 5.3."""
IGNORED = "__ignore__"
LABELS = "labels.txt"


class LabelmeWriter:
    """Writes ``<video>/<image>.json``."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video, self._stage = video, stage

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        video = self._video
        height, width = video.size
        shapes = [self._shape(instance) for instance in (*frame.instances, *frame.unknown) if instance.piece]
        if frame.rest is not None:
            shapes.append(_shape(IGNORED, frame.rest))
        document: dict[str, object] = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": video.image(frame.index),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        self._stage.write(f"{video.stem}/{video.image_stem(frame.index)}.json", compact(document).encode())

    def _shape(self, instance: Instance) -> dict[str, object]:
        assert instance.piece is not None
        name = self._video.classes[self._video.class_of[instance.class_id]]
        shape = _shape(name if instance.known else IGNORED, instance.piece)
        shape["group_id"] = instance.track_id if instance.track_id >= 0 else None
        flags = {"occluded": bool(instance.flags & BoxFlag.OCCLUDED)}
        shape["flags"] = {**flags, "manual": True} if instance.manual else flags
        if not math.isnan(instance.score):
            shape["description"] = f"believability {instance.score:.2f}"
        return shape

    def finish(self) -> list[str]:
        """Nothing more."""
        return []


def _shape(label: str, piece: Piece) -> dict[str, object]:
    """A shape; its points are the first and the last pixel in either direction."""
    x0, y0, x1, y1 = piece.box
    _, png = cv2.imencode(".png", piece.mask)
    return {
        "label": label,
        "points": [[x0, y0], [x1 - 1, y1 - 1]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png.tobytes()).decode("ascii"),
    }


def finish(to: Path, _parts: Sequence[Part], classes: tuple[str, ...]) -> None:
    """Write ``labels.txt``, as labelme's converters ask for it."""
    lines = "".join(f"{one_line(name)}\n" for name in (IGNORED, "_background_", *classes))
    write_atomically(to / LABELS, lines.encode())


FORMAT = Format(
    name="labelme", writer=LabelmeWriter, own=("{}",), images="{}", common=(LABELS,), finish=finish
)

"""COCO instances: a JSON file for every video, and one of all.

Masks are run lengths. What is unknown is a region with ``iscrowd: 1``, which evaluation does not count: of an
object without a mask in its class, of ignore regions and the like in every class. ``bbox`` is the annotated
box; a region's is the rectangle around it. Beside COCO's own keys there are ``score`` (the mask's
believability), ``track_id``, ``occluded``, ``truncated`` and ``box``, the place of its box in the frame; and
``manual: 1`` where a person decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import replacing
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.exports.document import Document, compact, read_rows
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.frame import ExportFrame, Instance, Piece
from spotlabel.pipeline.exports.rle import coco_rle
from spotlabel.pipeline.exports.staging import HashedFile, Staging
from spotlabel.pipeline.exports.video import Video

JOINED = "instances.json"


class CocoWriter:
    """Writes ``annotations/<video>.json``."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video = video
        self._document = Document(stage.begin(f"annotations/{video.stem}.json"), head(video.classes))
        self._document.begin("videos")
        self._document.rows([{"id": 1, "name": video.name}])
        self._document.begin("images")
        self._document.rows(self._images())
        self._document.begin("annotations")
        self._image = self._count = 0

    def _images(self) -> Iterator[dict[str, Any]]:
        video = self._video
        height, width = video.size
        for place, index in enumerate(video.indices.tolist()):
            yield {
                "id": place + 1,
                "file_name": f"{video.stem}/{video.images[place]}",
                "width": width,
                "height": height,
                "video_id": 1,
                "frame_id": index,
                "frame": int(video.numbers[index]),
            }

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        self._image += 1
        first = int(self._video.boxes.offsets[frame.index])
        for instance in frame.instances:
            assert instance.piece is not None
            x0, y0, x1, y1 = instance.box
            bbox = [x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)]
            self._row(
                self._category(instance), self._pixels(instance.piece, bbox), 0, self._more(instance, first)
            )
        for instance in frame.unknown:
            if instance.piece is not None:
                pixels = self._pixels(instance.piece)
                self._row(self._category(instance), pixels, 1, self._more(instance, first))
        if frame.rest is not None:
            pixels = self._pixels(frame.rest)
            for category in range(1, len(self._video.classes) + 1):
                self._row(category, pixels, 1, {})

    def _pixels(self, piece: Piece, bbox: list[float] | None = None) -> dict[str, object]:
        """What says where pixels are; without a box the rectangle around them."""
        x0, y0, x1, y1 = piece.box
        rle = coco_rle(piece, self._video.size)
        return {"bbox": bbox or [x0, y0, x1 - x0, y1 - y0], "area": piece.area, "segmentation": rle}

    def _category(self, instance: Instance) -> int:
        return int(self._video.class_of[instance.class_id]) + 1

    def _row(self, category: int, pixels: dict[str, object], crowd: int, more: dict[str, object]) -> None:
        self._count += 1
        ids = {"id": self._count, "image_id": self._image, "category_id": category, "iscrowd": crowd}
        self._document.row(compact({**ids, **pixels, **more}))

    def _more(self, instance: Instance, first: int) -> dict[str, object]:
        more: dict[str, object] = {"box": instance.row - first}
        if not math.isnan(instance.score):
            more["score"] = instance.score
        if instance.track_id >= 0:
            more["track_id"] = instance.track_id
        if instance.manual:
            more["manual"] = 1
        more["occluded"] = int(bool(instance.flags & BoxFlag.OCCLUDED))
        more["truncated"] = int(bool(instance.flags & (BoxFlag.TRUNCATED | BoxFlag.CLIPPED)))
        return more

    def finish(self) -> list[str]:
        """End the file."""
        self._document.end()
        return []


def head(classes: tuple[str, ...]) -> dict[str, object]:
    """What a file begins with; categories count from 1."""
    categories = [{"id": place, "name": name} for place, name in enumerate(classes, start=1)]
    return {"info": {"description": "masks by spotlabel"}, "licenses": [], "categories": categories}


def join(to: Path, parts: Sequence[Part], classes: tuple[str, ...]) -> None:
    """Write ``instances.json``: all videos, their images and annotations numbered through."""
    paths = [to / f"annotations/{part.stem}.json" for part in parts]
    images, annotations, offsets = 0, 0, []
    with replacing(to / JOINED) as file:
        document = Document(HashedFile(file), head(classes))
        document.begin("videos")
        document.rows({"id": place, "name": part.name} for place, part in enumerate(parts, start=1))
        document.begin("images")
        for place, path in enumerate(paths, start=1):
            offsets.append(images)
            for row in read_rows(path, "images"):
                images += 1
                document.row(compact({**row, "id": images, "video_id": place}))
        document.begin("annotations")
        for offset, path in zip(offsets, paths, strict=True):
            for row in read_rows(path, "annotations"):
                annotations += 1
                document.row(compact({**row, "id": annotations, "image_id": row["image_id"] + offset}))
        document.end()


FORMAT = Format(
    name="coco",
    writer=CocoWriter,
    own=("images/{}", "annotations/{}.json"),
    images="images/{}",
    common=(JOINED,),
    finish=join,
)

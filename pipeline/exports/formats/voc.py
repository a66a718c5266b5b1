"""Pascal VOC 2012: boxes in XML, pictures of classes and of objects, lists of images.

A folder for every video in each of VOC's folders; images are called ``<video>/<image>`` in lists. Coordinates
are whole pixels, the first called 1, the last counted in. Objects are numbered in the picture in the order of
the XML file; those without a mask come last and are "difficult". 0 is background, 255 unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.frame import ExportFrame, Instance
from spotlabel.pipeline.exports.pixels import indexed_png, palette
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video
from spotlabel.pipeline.exports.xml import element
from spotlabel.pipeline.text import one_line

UNKNOWN = 255
_LISTS = "ImageSets/videos"
_FOLDERS = ("JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations")
_ALL = ("ImageSets/Segmentation/all.txt", "ImageSets/Main/all.txt")
_LABELS = "labelmap.txt"
_MOST = UNKNOWN - 1


class VocWriter:
    """Writes ``Annotations``, ``SegmentationClass`` and ``SegmentationObject`` of a video, and its list."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video, self._stage = video, stage
        self._list = stage.begin(f"{_LISTS}/{video.stem}.txt")
        if len(video.classes) > _MOST:
            raise ExportError(f"{len(video.classes)} classes: a picture of VOC has values for {_MOST}")

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        video = self._video
        if len(frame.instances) > _MOST:
            raise ExportError(
                f"{video.name}: {len(frame.instances)} objects in frame {frame.number}: a picture of VOC has "
                f"values for {_MOST}"
            )
        objects = frame.unknown_plane(video.size) * UNKNOWN
        classes = objects.copy()
        for place, instance in enumerate(frame.instances, start=1):
            assert instance.piece is not None
            instance.piece.paint(objects, place)
            instance.piece.paint(classes, int(video.class_of[instance.class_id]) + 1)
        stem = f"{video.stem}/{video.image_stem(frame.index)}"
        self._stage.write(f"Annotations/{stem}.xml", "\n".join(self._xml(frame)).encode() + b"\n")
        self._stage.write(f"SegmentationObject/{stem}.png", indexed_png(objects))
        self._stage.write(f"SegmentationClass/{stem}.png", indexed_png(classes))
        self._list.text(f"{stem}\n")

    def _xml(self, frame: ExportFrame) -> Iterator[str]:
        video = self._video
        height, width = video.size
        yield "<annotation>"
        yield " " + element("folder", video.stem)
        yield " " + element("filename", video.image(frame.index))
        yield f" <size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        yield " <segmented>1</segmented>"
        for instance in (*frame.instances, *frame.unknown):
            yield from self._object(instance)
        yield "</annotation>"

    def _object(self, instance: Instance) -> Iterator[str]:
        x0, y0, x1, y1 = instance.box
        corners = {
            "xmin": math.floor(x0) + 1,
            "ymin": math.floor(y0) + 1,
            "xmax": math.ceil(x1),
            "ymax": math.ceil(y1),
        }
        truncated = bool(instance.flags & (BoxFlag.TRUNCATED | BoxFlag.CLIPPED))
        occluded = bool(instance.flags & BoxFlag.OCCLUDED)
        yield " <object>"
        yield "  " + element("name", self._video.classes[self._video.class_of[instance.class_id]])
        yield f"  <truncated>{truncated:d}</truncated>"
        yield f"  <occluded>{occluded:d}</occluded>"
        yield f"  <difficult>{not instance.known:d}</difficult>"
        if instance.track_id >= 0:
            yield f"  <track>{instance.track_id}</track>"
        yield "  <bndbox>" + "".join(element(key, value) for key, value in corners.items()) + "</bndbox>"
        yield " </object>"

    def finish(self) -> list[str]:
        """Nothing more."""
        return []


def finish(to: Path, parts: Sequence[Part], classes: tuple[str, ...]) -> None:
    """Write the list of all images, and the classes in the order of their values, as Datumaro and CVAT do."""
    listed = b"".join((to / _LISTS / f"{part.stem}.txt").read_bytes() for part in parts)
    for name in _ALL:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(to / name, listed)
    plain = [one_line(name).replace(":", "_") for name in classes]
    ignored = "ignored" if "ignored" not in plain else "ignored_"  # as Datumaro calls the colour of 255
    values = [
        ("background", 0),
        *((name, value) for value, name in enumerate(plain, start=1)),
        (ignored, UNKNOWN),
    ]
    colours = palette().tolist()
    lines = [f"{name}:{','.join(map(str, colours[value]))}::\n" for name, value in values]
    write_atomically(to / _LABELS, "".join(["# label:color_rgb:parts:actions\n", *lines]).encode())


FORMAT = Format(
    name="voc",
    writer=VocWriter,
    own=(*(f"{folder}/{{}}" for folder in _FOLDERS), f"{_LISTS}/{{}}.txt"),
    images="JPEGImages/{}",
    common=(*_ALL, _LABELS),
    finish=finish,
)

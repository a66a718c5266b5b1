"""CVAT for images 1.1: an XML file for every video, masks as run lengths inside their boxes.

An object has its dataset's track id as attribute ``track_id``. CVAT's own format for video has tracks, but of
a track of masks CVAT reads the first frame alone, so this one is written. An object without a mask is a
``box``, further unknown pixels are a mask with the label ``unknown``. Images have ids from 0, the position in
the video.
"""

from __future__ import annotations

import math

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.exports.formats.base import Format
from spotlabel.pipeline.exports.frame import ExportFrame, Instance, Piece
from spotlabel.pipeline.exports.rle import cvat_rle
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video
from spotlabel.pipeline.exports.xml import element, opening

ATTRIBUTES = ("track_id", "believability")


def unknown_label(classes: tuple[str, ...]) -> str:
    """``unknown``, or longer where a class is called so."""
    label = "unknown"
    while label in classes:
        label += "_"
    return label


class CvatWriter:
    """Writes ``<video>/annotations.xml``."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video = video
        self._file = stage.begin(f"{video.stem}/annotations.xml")
        self._unknown = unknown_label(video.classes)
        self._file.text('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        self._file.text(f"<meta><task>{element('name', video.name)}<size>{len(video.numbers)}</size>\n")
        self._file.text(f"<mode>annotation</mode>\n<labels>\n{self._labels()}</labels></task></meta>\n")

    def _labels(self) -> str:
        attributes = "".join(
            f"<attribute>{element('name', name)}<mutable>False</mutable><input_type>text</input_type>"
            "<default_value></default_value><values></values></attribute>"
            for name in ATTRIBUTES
        )
        return "".join(
            f"<label>{element('name', name)}<type>any</type><attributes>{attributes}</attributes></label>\n"
            for name in (*self._video.classes, self._unknown)
        )

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        height, width = self._video.size
        image = {"id": frame.index, "name": self._video.image(frame.index), "width": width, "height": height}
        self._file.text(opening("image", image) + "\n")
        for instance in frame.instances:
            assert instance.piece is not None
            shape = self._shape(instance) | _mask(instance.piece)
            self._file.text(f"{opening('mask', shape)}{_said(instance)}</mask>\n")
        for instance in frame.unknown:
            corners = zip(("xtl", "ytl", "xbr", "ybr"), instance.box, strict=True)
            shape = self._shape(instance) | dict(corners)
            self._file.text(f"{opening('box', shape)}{_said(instance)}</box>\n")
        if frame.rest is not None:
            shape = {"label": self._unknown, "source": "auto", "occluded": 0} | _mask(frame.rest)
            self._file.text(opening("mask", shape, empty=True) + "\n")
        self._file.text("</image>\n")

    def _shape(self, instance: Instance) -> dict[str, object]:
        name = self._video.classes[self._video.class_of[instance.class_id]]
        occluded = int(bool(instance.flags & BoxFlag.OCCLUDED))
        source = "manual" if instance.manual else "auto"
        return {"label": name, "source": source, "occluded": occluded, "z_order": 0}

    def finish(self) -> list[str]:
        """End the file."""
        self._file.text("</annotations>\n")
        return []


def _mask(piece: Piece) -> dict[str, object]:
    height, width = piece.mask.shape
    runs = ", ".join(map(str, cvat_rle(piece)))
    return {"rle": runs, "left": piece.x, "top": piece.y, "width": width, "height": height}


def _said(instance: Instance) -> str:
    """Attributes of an object."""
    values = {
        "track_id": instance.track_id if instance.track_id >= 0 else "",
        "believability": instance.score,
    }
    return "".join(
        f'<attribute name="{name}">{value}</attribute>'
        for name, value in values.items()
        if value != "" and not (isinstance(value, float) and math.isnan(value))
    )


FORMAT = Format(name="cvat", writer=CvatWriter, own=("{}",), images="{}/images")

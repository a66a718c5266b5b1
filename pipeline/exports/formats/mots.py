"""MOTS (Voigtlaender et al., CVPR 2019): text and 16-bit pictures, a folder for every video.

An object is called ``1000 * class + n``, n counting the objects of a class in a video from 1; unknown pixels
are 10000, class 10. Car is class 1 and pedestrian 2, as in the benchmark; the others count on from 3 without
10. Frames count from 1: frame k is the k-th of the video, whatever its number in the dataset.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.frame import ExportFrame, piece_of
from spotlabel.pipeline.exports.pixels import grey16_png
from spotlabel.pipeline.exports.rle import coco_rle
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video

CLASSES = "classes.json"
IGNORED = 10
_PER_CLASS = 1000
_GIVEN = {"car": 1, "person": 2, "pedestrian": 2}
_MOST_CLASSES = 64


def class_numbers(classes: tuple[str, ...]) -> list[int]:
    """MOTS' number of each class.

    Raises:
        ExportError: more classes than a picture of 16 bits has room for.
    """
    given: list[int] = []
    rest = iter(number for number in range(3, _MOST_CLASSES + 1) if number != IGNORED)
    for name in classes:
        wanted = _GIVEN.get(name.lower(), 0)
        number = wanted if wanted and wanted not in given else next(rest, 0)
        if not number:
            raise ExportError(f"{len(classes)} classes: MOTS has numbers for {_MOST_CLASSES}; choose coco")
        given.append(number)
    return given


def frame_name(index: int) -> str:
    """What the pictures of a frame are called, by its position from 0."""
    return f"{index + 1:06}"


class MotsWriter:
    """Writes ``<video>/gt/gt.txt``, ``<video>/instances/`` and ``<video>/seqinfo.ini``."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video, self._stage = video, stage
        numbers = np.array(class_numbers(video.classes), np.int64)
        self._class = numbers[video.class_of[video.objects.class_id]] if len(video.objects) else numbers[:0]
        self._id = self._class * _PER_CLASS + self._counted()
        self._rows = stage.begin(f"{video.stem}/gt/gt.txt")

    def _counted(self) -> npt.NDArray[np.int64]:
        """Number of each object in its class, from 1."""
        counted = np.zeros(len(self._class), np.int64)
        for number in np.unique(self._class).tolist():
            own = self._class == number
            counted[own] = np.arange(1, int(own.sum()) + 1)
        if len(counted) and counted.max() >= _PER_CLASS:
            raise ExportError(
                f"{self._video.name}: {counted.max()} objects of one class, MOTS has numbers for 999 of a "
                "video (a box without a track id is an object of its own): choose coco or youtube-vis"
            )
        return counted

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        size = self._video.size
        unknown = frame.unknown_plane(size)
        plane = unknown.astype(np.uint16) * (IGNORED * _PER_CLASS)
        for instance in frame.instances:
            assert instance.piece is not None
            number = self._video.objects.of_row[instance.row]
            instance.piece.paint(plane, int(self._id[number]))
            rle = coco_rle(instance.piece, size)["counts"]
            self._row(frame.index, int(self._id[number]), int(self._class[number]), rle)
        region = piece_of(unknown)
        if region is not None:
            self._row(frame.index, IGNORED * _PER_CLASS, IGNORED, coco_rle(region, size)["counts"])
        name = f"{self._video.stem}/instances/{frame_name(frame.index)}.png"
        self._stage.write(name, grey16_png(plane))

    def _row(self, index: int, number: int, class_number: int, rle: str) -> None:
        height, width = self._video.size
        self._rows.text(f"{index + 1} {number} {class_number} {height} {width} {rle}\n")

    def finish(self) -> list[str]:
        """Write what the benchmark's tools ask for beside."""
        video = self._video
        height, width = video.size
        facts = {"name": video.stem, "imDir": "img1", "seqLength": len(video.numbers)}
        facts |= {"imWidth": width, "imHeight": height}
        lines = "".join(f"{key}={value}\n" for key, value in facts.items())
        self._stage.write(f"{video.stem}/seqinfo.ini", f"[Sequence]\n{lines}".encode())
        return []


def finish(to: Path, _parts: Sequence[Part], classes: tuple[str, ...]) -> None:
    """Write ``classes.json``: the number of every class."""
    named = {str(IGNORED): "unknown"}
    named |= {str(number): name for number, name in zip(class_numbers(classes), classes, strict=True)}
    in_order = dict(sorted(named.items(), key=lambda pair: int(pair[0])))
    write_atomically(to / CLASSES, f"{json.dumps(in_order, indent=1)}\n".encode())


FORMAT = Format(
    name="mots",
    writer=MotsWriter,
    own=("{}",),
    images="{}/img1",
    common=(CLASSES,),
    finish=finish,
    counted=frame_name,
    whole_videos=True,
)

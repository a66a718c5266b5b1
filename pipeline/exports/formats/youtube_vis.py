"""YouTube-VIS: objects over time, a JSON file for every video and one of all.

A track has a mask and a box for every frame of its video, null where it is not to be seen or its mask is not
known; ``unknown`` lists the frames in which that is so. The format has no regions to be ignored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import replacing
from spotlabel.pipeline.exports.document import Document, compact, read_rows
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.formats.coco import head
from spotlabel.pipeline.exports.frame import ExportFrame
from spotlabel.pipeline.exports.rle import coco_rle
from spotlabel.pipeline.exports.staging import HashedFile, Staging
from spotlabel.pipeline.exports.video import Video

JOINED = "instances.json"
_UNKNOWN = -1


class YoutubeVisWriter:
    """Writes ``annotations/<video>.json``. Masks wait in a file without a name until all frames are known."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video = video
        self._document = Document(stage.begin(f"annotations/{video.stem}.json"), head(video.classes))
        self._document.begin("videos")
        height, width = video.size
        names = [f"{video.stem}/{image}" for image in video.images]
        row = {"id": 1, "name": video.name, "width": width, "height": height, "length": len(names)}
        self._document.rows([{**row, "file_names": names, "frames": video.numbers[video.indices].tolist()}])
        self._document.begin("annotations")
        self._masks = tempfile.TemporaryFile(dir=stage.folder)  # noqa: SIM115 - until finish
        boxes = len(video.boxes.xyxy)
        self._place = np.zeros(boxes, np.int64)  # of each box's mask in that file
        self._length = np.zeros(boxes, np.int64)  # 0: the box has none
        self._area = np.zeros(boxes, np.int64)

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        for instance in frame.instances:
            assert instance.piece is not None
            text = compact(coco_rle(instance.piece, self._video.size)).encode()
            self._place[instance.row] = self._masks.tell()
            self._length[instance.row] = len(text)
            self._area[instance.row] = instance.piece.area
            self._masks.write(text)
        for instance in frame.unknown:
            self._length[instance.row] = _UNKNOWN
        if not frame.known:
            rows = self._video.boxes.rows(frame.index)
            self._length[rows.start : rows.stop] = _UNKNOWN

    def _object_of_row(self) -> npt.NDArray[np.int64]:
        """The object of every box, int64 (N,); in frames of which nothing is known, of every track's."""
        objects, track_id = self._video.objects, self._video.boxes.track_id
        number_of = {track: number for number, track in enumerate(objects.track_id.tolist()) if track >= 0}
        of_row = objects.of_row.copy()
        for row in np.flatnonzero((of_row < 0) & (self._length == _UNKNOWN)).tolist():
            of_row[row] = number_of.get(int(track_id[row]), -1)
        return of_row

    def finish(self) -> list[str]:
        """Write every track, and end the file."""
        of_row = self._object_of_row()
        order = np.argsort(of_row, kind="stable")
        order = order[of_row[order] >= 0]
        ends = np.cumsum(np.bincount(of_row[order], minlength=len(self._video.objects)))
        count = 0
        for number, rows in enumerate(np.split(order, ends[:-1]) if len(ends) else []):
            if (self._length[rows] > 0).any():
                count += 1
                self._document.row("".join(self._track(count, number, rows.tolist())))
        self._document.end()
        self._masks.close()
        lost = len(self._video.objects) - count
        return [f"{lost} objects have no mask in any frame and are left out"] if lost else []

    def _track(self, count: int, number: int, rows: list[int]) -> Iterator[str]:
        video = self._video
        frame_of = np.searchsorted(video.boxes.offsets, rows, side="right") - 1
        places = np.searchsorted(video.indices, frame_of).tolist()
        masks, boxes, areas, unknown = {}, {}, {}, []
        for row, place in zip(rows, places, strict=True):
            if self._length[row] == _UNKNOWN:
                unknown.append(place)
            elif self._length[row]:
                x0, y0, x1, y1 = (float(str(value)) for value in video.boxes.xyxy[row])
                masks[place] = self._mask(row)
                boxes[place] = compact([x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)])
                areas[place] = str(int(self._area[row]))
        height, width = video.size
        row_of = {
            "id": count,
            "video_id": 1,
            "category_id": int(video.class_of[video.objects.class_id[number]]) + 1,
            "iscrowd": 0,
            "width": width,
            "height": height,
            "length": len(video.indices),
            "unknown": unknown,
        }
        if video.objects.track_id[number] >= 0:
            row_of["track_id"] = int(video.objects.track_id[number])
        yield compact(row_of)[:-1]
        for name, values in (("segmentations", masks), ("bboxes", boxes), ("areas", areas)):
            listed = ",".join(values.get(place, "null") for place in range(len(video.indices)))
            yield f',"{name}":[{listed}]'
        yield "}"

    def _mask(self, row: int) -> str:
        self._masks.seek(int(self._place[row]))
        return self._masks.read(int(self._length[row])).decode()


def join(to: Path, parts: Sequence[Part], classes: tuple[str, ...]) -> None:
    """Write ``instances.json``: all videos and their tracks, numbered through."""
    paths = [to / f"annotations/{part.stem}.json" for part in parts]
    count = 0
    with replacing(to / JOINED) as file:
        document = Document(HashedFile(file), head(classes))
        document.begin("videos")
        for place, path in enumerate(paths, start=1):
            document.rows({**row, "id": place} for row in read_rows(path, "videos"))
        document.begin("annotations")
        for place, path in enumerate(paths, start=1):
            for row in read_rows(path, "annotations"):
                count += 1
                document.row(compact({**row, "id": count, "video_id": place}))
        document.end()


FORMAT = Format(
    name="youtube-vis",
    writer=YoutubeVisWriter,
    own=("JPEGImages/{}", "annotations/{}.json"),
    images="JPEGImages/{}",
    common=(JOINED,),
    finish=join,
    whole_videos=True,
)

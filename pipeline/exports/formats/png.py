"""Pictures of instances as DAVIS 2017 has them: 8 bits with a palette, a value for every object of a video.

0 is background and 255 unknown. Frames count from 0: ``00000.png`` is the first of the video, whatever its
number in the dataset. ``instances/<video>.json`` says which object a value is, and from which frame to which.
"""

from __future__ import annotations

from spotlabel.pipeline.exports.document import Document
from spotlabel.pipeline.exports.formats.base import Format
from spotlabel.pipeline.exports.frame import ExportFrame
from spotlabel.pipeline.exports.objects import values_of
from spotlabel.pipeline.exports.pixels import indexed_png
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video

UNKNOWN = 255


def frame_name(index: int) -> str:
    """What the pictures of a frame are called, by its position from 0."""
    return f"{index:05}"


class PngWriter:
    """Writes ``Annotations/<video>/`` and ``instances/<video>.json``."""

    def __init__(self, video: Video, stage: Staging) -> None:
        self._video, self._stage = video, stage
        self._values = values_of(video.objects, UNKNOWN - 1, video.name)

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""
        plane = frame.unknown_plane(self._video.size) * UNKNOWN
        for instance in frame.instances:
            assert instance.piece is not None
            instance.piece.paint(plane, int(self._values[self._video.objects.of_row[instance.row]]))
        name = f"Annotations/{self._video.stem}/{frame_name(frame.index)}.png"
        self._stage.write(name, indexed_png(plane))

    def finish(self) -> list[str]:
        """Write which object a value is."""
        video, objects = self._video, self._video.objects
        file = self._stage.begin(f"instances/{video.stem}.json")
        document = Document(file, {"video": video.name, "unknown": UNKNOWN, "classes": video.classes})
        document.begin("frames")
        document.rows(
            {"picture": f"{frame_name(index)}.png", "frame": int(video.numbers[index])}
            for index in video.indices.tolist()
        )
        document.begin("objects")
        for number in range(len(objects)):
            document.rows(
                [
                    {
                        "value": int(self._values[number]),
                        "track_id": int(objects.track_id[number]),
                        "class": video.classes[video.class_of[objects.class_id[number]]],
                        "first": int(objects.first[number]),
                        "last": int(objects.last[number]),
                    }
                ]
            )
        document.end()
        return []


FORMAT = Format(
    name="png",
    writer=PngWriter,
    own=("JPEGImages/{}", "instances/{}.json", "Annotations/{}"),
    images="JPEGImages/{}",
    counted=frame_name,
    whole_videos=True,
)

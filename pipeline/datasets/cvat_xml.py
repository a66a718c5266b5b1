"""CVAT XML 1.1, for video and for images: file to native boxes, without a word on where images lie.

A file for video has a ``track`` per object with a ``box`` for every frame that it is in, those between key
frames too; ``outside="1"`` says that it is not there. A file for images has an ``image`` for every frame,
with or without boxes. Frames are numbered from 0, as in the video that the task was made from. Coordinates
are 0-based pixel edges. Shapes that are no upright boxes are not read; what they cover is an ignore region.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import numpy as np

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.doubts import IMPLAUSIBLE
from spotlabel.pipeline.datasets.layout import check_declared_size
from spotlabel.pipeline.datasets.native import Collector, NativeBoxes, NativeRects, corners
from spotlabel.pipeline.datasets.sax import Attributes, walk
from spotlabel.pipeline.datasets.text import decimal, whole_number
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import FrameSource

logger = logging.getLogger("spotlabel")

ORIGIN = 0.0
ROOT = "annotations"
CORNERS = ("xtl", "ytl", "xbr - xtl", "ybr - ytl")
FIRST_FRAME = 0
_SHAPES = ("box", "polygon", "polyline", "points", "mask", "ellipse", "cuboid", "skeleton")
_STEP = re.compile(r"step\s*=\s*([1-9][0-9]{0,8})")
_Quad = tuple[float, float, float, float]


@dataclass
class Task:
    """What ``meta`` says of a task or job.

    Attributes:
        labels: names of the classes.
        given: text of ``size``, ``start_frame``, ``stop_frame``, ``frame_filter``, ``width`` and ``height``
            (of ``original_size``), as far as they are there.
    """

    labels: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)

    def number(self, path: Path, name: str) -> int | None:
        """A whole number >= 0, None if it is not given.

        Raises:
            DatasetError: it is something else.
        """
        text = self.given.get(name, "")
        try:
            value = whole_number(text) if text else None
        except ValueError:
            value = -1
        if value is not None and value < 0:
            raise DatasetError.at(path, f"meta: {name}", f"is {text[:40]!r}, expected a whole number")
        return value

    def frames(self, path: Path) -> range | None:
        """Numbers of the frames that were annotated, None if the file does not say."""
        step = _STEP.search(self.given.get("frame_filter", ""))
        start = self.number(path, "start_frame") or 0
        stop, size = self.number(path, "stop_frame"), self.number(path, "size")
        every = int(step[1]) if step else 1
        if stop is not None:
            return range(start, stop + 1, every)
        return None if size is None else range(start, start + size * every, every)

    def size(self, path: Path) -> tuple[int, int] | None:
        """Height and width of the frames, None if the file does not say."""
        height, width = self.number(path, "height"), self.number(path, "width")
        return (height, width) if height is not None and width is not None else None


@dataclass(frozen=True)
class CvatImage:
    """An element ``image``.

    Attributes:
        number: its ``id``.
        name: as written; data, to be checked before it becomes a path.
        size: height and width, None if not given.
        line: where it stands.
    """

    number: int
    name: str
    size: tuple[int, int] | None
    line: int


@dataclass(frozen=True)
class CvatFile:
    """All of one file; frame numbers of boxes in images are the ids of these.

    Attributes:
        path: the file.
        task: what its head says.
        images: its images; none in a file for video.
        boxes: upright boxes.
        unread: what the other shapes cover.
    """

    path: Path
    task: Task
    images: tuple[CvatImage, ...]
    boxes: NativeBoxes
    unread: NativeRects

    def named(self) -> tuple[int, ...] | None:
        """Numbers of the frames that somebody looked at, None if the file does not say."""
        if self.images:
            return tuple(image.number for image in self.images)
        frames = self.task.frames(self.path)
        return None if frames is None else tuple(frames)

    def check(self, frames: FrameSource) -> None:
        """Refuse boxes of images of another size; tell if there are fewer frames than were annotated.

        Raises:
            DatasetError: the sizes differ.
        """
        declared = self.task.size(self.path)
        if declared is not None and not self.images:
            check_declared_size(self.path, "meta: original_size", declared, frames)
        for image in self.images:
            if image.size is not None:
                check_declared_size(self.path, f"line {image.line}: image", image.size, frames)
        named, last = self.named(), int(frames.numbers[-1])
        if named and max(named) > last:
            logger.warning(
                "%s: frames up to %d were annotated, but the last frame is %d: is it the video of this file?",
                self.path, max(named), last, extra=IMPLAUSIBLE,
            )  # fmt: skip


def read_cvat(path: Path) -> CvatFile:
    """Parse a file for video or for images. Attributes of objects and tags of frames are passed over.

    Raises:
        DatasetError: the file cannot be read, is no well-formed XML, contains a DTD or entities, or is not a
            CVAT file; names line, element and field.
    """
    handler = walk(path, lambda line: _Handler(path, line))
    if handler.others:
        counts = ", ".join(f"{count} x {what}" for what, count in sorted(handler.others.items()))
        logger.warning("%s: shapes that are no upright boxes are unknown, not objects: %s", path, counts)
    names = tuple(handler.classes)
    boxes, unread = handler.boxes.boxes(names), handler.covered.rects()
    return CvatFile(path, handler.task, tuple(handler.images), boxes, unread)


class _Handler(ContentHandler):
    """Collects boxes while the parser walks through a file."""

    def __init__(self, path: Path, line: Callable[[], int]) -> None:
        super().__init__()
        self.path = path
        self.task = Task()
        self.images: list[CvatImage] = []
        self.boxes = Collector(path, fields=CORNERS)
        self.covered = Collector(path)
        self.others: Counter[str] = Counter()
        self.classes: dict[str, int] = {}
        self._line = line
        self._open: list[str] = []
        self._text: list[str] = []
        self._ids: set[int] = set()
        self._track: tuple[int, str] | None = None
        self._image: int | None = None

    def startElement(self, name: str, attrs: AttributesImpl[str]) -> None:
        given = Attributes(self.path, self._line(), name, attrs)
        if not self._open and name != ROOT:
            problem = f"the outermost element is <{name[:40]}>, expected <{ROOT}>"
            raise DatasetError.at(self.path, f"line {self._line()}", problem)
        parent = self._open[-1] if self._open else ""
        self._open.append(name)
        self._text.clear()
        if name == "track" and parent == ROOT:
            self._track = (given.whole("id"), given.text("label"))
        elif name == "image" and parent == ROOT:
            self._start_image(given)
        elif name in _SHAPES and parent in ("track", "image"):
            self._shape(given)

    def characters(self, content: str) -> None:
        if len(self._open) > 1 and self._open[1] == "meta":
            self._text.append(content)

    def endElement(self, name: str) -> None:
        path = self._open
        if len(path) > 1 and path[1] == "meta":
            self._meta(path, "".join(self._text).strip())
        self._text.clear()
        path.pop()
        if path == [ROOT]:  # the end of a track or an image, if it is one
            self._track = self._image = None

    def _meta(self, path: list[str], text: str) -> None:
        if path[-3:] == ["labels", "label", "name"] and text:
            self.task.labels.append(text)
            self.classes.setdefault(text, len(self.classes))
        elif len(path) == 4 and path[2] in ("task", "job"):
            self.task.given[path[3]] = text
        elif path[2:] in (["original_size", "width"], ["original_size", "height"]) or (
            len(path) == 5 and path[3] == "original_size"
        ):
            self.task.given[path[-1]] = text

    def _start_image(self, given: Attributes) -> None:
        number = given.whole("id")
        if number in self._ids:
            raise given.error(f"id {number} a second time", "export one task at a time")
        self._ids.add(number)
        sized = given.text("width") and given.text("height")
        size = (given.whole("height"), given.whole("width")) if sized else None
        self.images.append(CvatImage(number, given.text("name"), size, given.line))
        self._image = number

    def _shape(self, given: Attributes) -> None:
        if self._open[:-2] != [ROOT]:
            raise given.error(f"stands in a <{self._open[-2]}> that is not directly below <{ROOT}>")
        if self._track is not None:
            frame, (track, label) = given.whole("frame"), self._track
        else:
            assert self._image is not None  # the parent is one or the other
            frame, track, label = self._image, -1, given.text("label")
        if given.switch("outside"):
            return
        turned = given.element == "box" and given.decimal("rotation", "0") % 360 != 0
        if given.element != "box" or turned:
            self._no_box(given, frame, "rotated box" if turned else given.element)
            return
        if not label:
            where = given.element if self._track is None else f"track {track}"
            raise DatasetError.at(self.path, f"line {given.line}: {where}", "label is missing")
        class_id = self.classes.setdefault(label, len(self.classes))
        flags = int(BoxFlag.OCCLUDED) * given.switch("occluded")
        self.boxes.add(
            frame, _corners(given), given.line, class_id=class_id, track_id=track, flags=flags
        )  # fmt: skip

    def _no_box(self, given: Attributes, frame: int, what: str) -> None:
        self.others[what] += 1
        covered = _covered(given)
        if covered is not None and covered[0] < covered[2] and covered[1] < covered[3]:
            self.covered.add(frame, covered, given.line)


def _corners(given: Attributes) -> _Quad:
    return given.decimal("xtl"), given.decimal("ytl"), given.decimal("xbr"), given.decimal("ybr")


def _covered(given: Attributes) -> _Quad | None:
    """The upright rectangle around a shape, None if it is of a kind without one."""
    if given.element == "box":
        return _around(_corners(given), given.decimal("rotation"))
    if given.element == "mask":
        return corners(*(given.decimal(name) for name in ("left", "top", "width", "height")))
    if given.element == "ellipse":
        cx, cy, rx, ry = (given.decimal(name) for name in ("cx", "cy", "rx", "ry"))
        return _around((cx - rx, cy - ry, cx + rx, cy + ry), given.decimal("rotation", "0"))
    if given.element not in ("polygon", "polyline", "points"):
        return None
    try:
        pairs = (pair.split(",") for pair in given.text("points").split(";"))
        points = np.array([[decimal(x), decimal(y)] for x, y in pairs], np.float64)
    except ValueError:
        raise given.error("points are no list x,y;x,y;...") from None
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _around(box: _Quad, degrees: float) -> _Quad:
    """The upright rectangle around one that is turned about its centre."""
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    width, height = box[2] - box[0], box[3] - box[1]
    half = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return x - half[0], y - half[1], x + half[0], y + half[1]

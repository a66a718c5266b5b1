"""UA-DETRAC annotation files: XML to native boxes, without a word on where files and images lie."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.native import NO_BOX, Collector, NativeBoxes, NativeRects, corners
from spotlabel.pipeline.datasets.sax import walk
from spotlabel.pipeline.datasets.text import decimal, whole_number
from spotlabel.pipeline.datasets.vehicle_types import CLASS_NAMES, FINE, Vocabulary, class_of
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera

logger = logging.getLogger("spotlabel")

ORIGIN = 0.5
"""Left and top image edge in UA-DETRAC's coordinates."""

_CAMERAS = {"stable": Camera.FIXED, "unstable": Camera.MOVING}


@dataclass
class Head:
    """What the head of a file says.

    Attributes:
        name: the sequence's name, empty if not given.
        camera: None if not given.
        weather: ``sence_weather`` as written, empty if not given.
        has_regions: whether there is an element ``ignored_region``, be it empty.
    """

    name: str = ""
    camera: Camera | None = None
    weather: str = ""
    has_regions: bool = False


@dataclass(frozen=True)
class DetracFile:
    """All of one file: head, boxes and static ignore regions in native coordinates, numbers of its frames."""

    head: Head
    boxes: NativeBoxes
    regions: NativeRects
    frames: tuple[int, ...] = ()


def read_head(path: Path) -> Head:
    """What stands before the first frame; reads no further.

    Raises:
        DatasetError: the file cannot be read, or its head is not that of a UA-DETRAC file.
    """
    return _walk(path, Vocabulary.SINGLE, head_only=True).head


def listed_head(path: Path) -> Head:
    """Head of a file for a listing: empty, with a warning in the log, where loading the file will fail."""
    try:
        return read_head(path)
    except DatasetError as error:
        logger.warning("%s", error)
        return Head()


def read_detrac(path: Path, vocabulary: Vocabulary = Vocabulary.ORIGINAL) -> DetracFile:
    """Parse a file of either vocabulary.

    Flags: truncated where ``truncation_ratio`` is above 0; occluded as the elements ``region_overlap`` say.
    There, status 1 means that this target hides a part of the target ``occlusion_id`` (so in 97 % of 1,137
    overlaps of real files, going by which box reaches further down); any other status, that this target
    is hidden, by a target (0) or by the background (-1).

    Raises:
        DatasetError: the file cannot be read, is no well-formed XML, contains a DTD or entities, or is not a
            UA-DETRAC file; names line, element and field.
    """
    handler = _walk(path, vocabulary)
    boxes = handler.collector.boxes(CLASS_NAMES[vocabulary])
    return DetracFile(handler.head, boxes, handler.regions.rects(), tuple(handler.frames))


def _walk(path: Path, vocabulary: Vocabulary, *, head_only: bool = False) -> _Handler:
    """Push a file through the parser until it ends, or its first frame begins."""
    return walk(
        path, lambda line: _Handler(path, vocabulary, line), lambda seen: head_only and seen.saw_frame
    )


@dataclass
class _Target:
    """The target being read."""

    track_id: int
    line: int
    xyxy: tuple[float, float, float, float] | None = None
    class_id: int | None = None
    flags: int = 0


class _Handler(ContentHandler):
    """Collects boxes while the parser walks through a file."""

    def __init__(self, path: Path, vocabulary: Vocabulary, line: Callable[[], int]) -> None:
        super().__init__()
        self._line = line
        self.path = path
        self.head = Head()
        self.collector = Collector(path)
        self.regions = Collector(path)
        self.saw_frame = False
        self.frames: list[int] = []
        self._vocabulary = vocabulary
        self._classes: dict[str, int] = {}
        self._in_sequence = False
        self._in_regions = False
        self._frame: int | None = None
        self._frame_start = 0
        self._hidden: set[int] = set()
        self._target: _Target | None = None
        self._starts: dict[str, Callable[[AttributesImpl[str]], None]] = {
            "sequence_attribute": self._sequence_attribute,
            "ignored_region": self._ignored_region,
            "frame": self._start_frame,
            "target": self._start_target,
            "box": self._box,
            "attribute": self._attribute,
            "region_overlap": self._overlap,
        }

    def startElement(self, name: str, attrs: AttributesImpl[str]) -> None:
        if not self._in_sequence:
            if name != "sequence":
                raise self._error(f"the outermost element is <{name[:40]}>, expected <sequence>")
            self._in_sequence = True
            self.head.name = attrs.get("name") or ""
        elif start := self._starts.get(name):
            start(attrs)

    def endElement(self, name: str) -> None:
        if name == "target":
            self._end_target()
        elif name == "frame":
            self._end_frame()
        elif name == "ignored_region":
            self._in_regions = False

    def _sequence_attribute(self, attrs: AttributesImpl[str]) -> None:
        self.head.weather = (attrs.get("sence_weather") or "").strip()
        state = attrs.get("camera_state")
        if state is not None:
            if state.strip().lower() not in _CAMERAS:
                problem = f"camera_state is {state[:40]!r}, expected {' or '.join(_CAMERAS)}"
                raise self._error(problem, "sequence_attribute")
            self.head.camera = _CAMERAS[state.strip().lower()]

    def _ignored_region(self, _: AttributesImpl[str]) -> None:
        if self.saw_frame:
            raise self._error("<ignored_region> after a frame, expected before the first")
        self.head.has_regions = self._in_regions = True

    def _start_frame(self, attrs: AttributesImpl[str]) -> None:
        self.saw_frame = True
        self._frame = self._whole(attrs, "frame", "num")
        self.frames.append(self._frame)
        self._frame_start = len(self.collector.frame)

    def _end_frame(self) -> None:
        tracks, flags = self.collector.track_id, self.collector.flags
        if self._hidden:
            for row in range(self._frame_start, len(tracks)):
                if tracks[row] in self._hidden:
                    flags[row] |= BoxFlag.OCCLUDED
            self._hidden.clear()
        self._frame = None

    def _start_target(self, attrs: AttributesImpl[str]) -> None:
        if self._frame is None:
            raise self._error("<target> outside a frame")
        self._target = _Target(self._whole(attrs, "target", "id"), self._line())

    def _end_target(self) -> None:
        target, self._target = self._target, None
        if target is None or self._frame is None:
            raise self._error("<target> outside a frame")
        if target.xyxy is None:
            target.xyxy = NO_BOX
        if target.class_id is None and self._vocabulary is not Vocabulary.SINGLE:
            raise self._error("no vehicle_type", f"target {target.track_id}")
        self.collector.add(
            self._frame,
            target.xyxy,
            target.line,
            class_id=target.class_id or 0,
            track_id=target.track_id,
            flags=target.flags,
        )

    def _box(self, attrs: AttributesImpl[str]) -> None:
        keys = ("left", "top", "width", "height")
        empty = not any((attrs.get(key) or "").strip() for key in keys)
        xyxy = NO_BOX if empty else corners(*(self._decimal(attrs, "box", key) for key in keys))
        if self._in_regions:
            self.regions.add(0, xyxy, self._line())
        elif self._target is None or self._target.xyxy is not None:
            raise self._error("expected one <box> in each target or in <ignored_region>", "box")
        else:
            # Geometry errors are found later; they name the line of the box, not of its target.
            self._target.xyxy, self._target.line = xyxy, self._line()

    def _attribute(self, attrs: AttributesImpl[str]) -> None:
        if self._target is None:
            return
        if attrs.get("truncation_ratio") is not None:
            ratio = self._decimal(attrs, "attribute", "truncation_ratio")
            self._target.flags |= BoxFlag.TRUNCATED if ratio > 0 else 0
        kind = attrs.get("vehicle_type")
        if kind is not None:
            self._target.class_id = self._class(kind)

    def _class(self, kind: str) -> int:
        if kind not in self._classes:
            found = class_of(kind, self._vocabulary)
            if found is None:
                known = ", ".join((*FINE, "truck-*"))
                raise self._error(f"vehicle_type is {kind[:40]!r}, known are {known}", "attribute")
            self._classes[kind] = found
        return self._classes[kind]

    def _overlap(self, attrs: AttributesImpl[str]) -> None:
        if self._target is None:
            raise self._error("<region_overlap> outside a target")
        if (attrs.get("occlusion_status") or "").strip() == "1":
            self._hidden.add(self._whole(attrs, "region_overlap", "occlusion_id"))
        else:
            self._target.flags |= BoxFlag.OCCLUDED

    def _whole(self, attrs: AttributesImpl[str], element: str, name: str) -> int:
        text = attrs.get(name)
        try:
            return whole_number(text or "")
        except ValueError:
            raise self._wrong(element, name, text, "a whole number") from None

    def _decimal(self, attrs: AttributesImpl[str], element: str, name: str) -> float:
        text = attrs.get(name)
        try:
            return decimal(text or "")
        except ValueError:
            raise self._wrong(element, name, text, "a number") from None

    def _wrong(self, element: str, name: str, text: str | None, expected: str) -> DatasetError:
        found = f"{name} is missing" if text is None else f"{name} is {text[:40]!r}"
        return self._error(f"{found}, expected {expected}", element)

    def _error(self, problem: str, element: str = "") -> DatasetError:
        where = f"line {self._line()}" + (f": {element}" if element else "")
        return DatasetError.at(self.path, where, problem)

"""CVAT for images 1.1: what ``export masks --format cvat`` writes, and what CVAT writes back.

Masks as run lengths and polygons are masks; a ``box`` is an object of which nothing is known. An object is
told by its attribute ``track_id``, or by its box, which for a mask is the rectangle around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import numpy as np

from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.datasets.sax import Attributes, walk
from spotlabel.pipeline.datasets.text import decimal, whole_number
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.imports.pixels import from_counts, from_polygon
from spotlabel.pipeline.imports.shapes import Picture, Shape
from spotlabel.pipeline.store.sound import MAX_PIXELS

_Size = tuple[int, int]
_SHAPES = ("mask", "polygon", "box")
_OTHERS = ("polyline", "points", "ellipse", "cuboid", "skeleton")


def read_cvat_masks(path: Path) -> list[Picture]:
    """Pictures of a file; masks are drawn when they are asked for.

    Args:
        path: the file.

    Raises:
        DatasetError: names line, element and attribute.
    """
    return walk(path, lambda line: _Handler(path, line)).pictures


class _Handler(ContentHandler):
    """Collects images with their shapes."""

    def __init__(self, path: Path, line: Callable[[], int]) -> None:
        super().__init__()
        self._path, self._line = path, line
        self._above: list[str] = []
        self._text = ""
        self._number = ""
        self._tasks: dict[str, str] = {}
        self._shapes: list[Shape] = []
        self._attribute = ""
        self.pictures: list[Picture] = []

    def startElement(self, name: str, attrs: AttributesImpl[str]) -> None:
        given = Attributes(self._path, self._line(), name, attrs)
        if not self._above and name != "annotations":
            raise given.error("expected annotations", "export from CVAT as `CVAT for images 1.1`")
        if name == "track":
            raise given.error("a file for video", "export from CVAT as `CVAT for images 1.1`")
        inside = self._above[-1] if self._above else ""
        if name == "image":
            self._begin(given)
        elif inside == "image" and name in _SHAPES:
            self._shapes.append(_shape(given, self.pictures[-1].size))
        elif inside == "image" and name in _OTHERS:
            raise given.error("is no mask", "draw masks or polygons; a box is an object that nobody can tell")
        elif name == "attribute" and inside in _SHAPES:
            self._attribute = given.text("name")
        self._above.append(name)
        self._text = ""

    def characters(self, content: str) -> None:
        self._text += content

    def endElement(self, name: str) -> None:
        self._above.pop()
        inside = self._above[-1] if self._above else ""
        if name == "attribute" and inside in _SHAPES and self._attribute == "track_id" and self._text.strip():
            self._shapes[-1] = replace(self._shapes[-1], track=self._track())
        elif name == "id" and inside in ("task", "job"):
            self._number = self._text.strip()
        elif name == "name" and inside in ("task", "job"):
            self._tasks[self._number] = self._text.strip()
        elif name == "image":
            self.pictures[-1] = replace(self.pictures[-1], shapes=tuple(self._shapes))
        self._text = ""

    def _begin(self, given: Attributes) -> None:
        size = given.whole("height"), given.whole("width")
        if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
            raise given.error(f"a size of {size[1]} x {size[0]} pixels")
        name = given.text("name")
        if not name:
            raise given.error("name is missing, expected that of the image")
        stem = PurePosixPath(name.replace("\\", "/")).stem
        place = f"line {given.line}: image"
        self.pictures.append(Picture(place, self._video_of(given), None, stem, size, ()))
        self._shapes = []

    def _video_of(self, given: Attributes) -> str:
        """Name of the task that an image is of: a project has many, and its images tell theirs."""
        if len(self._tasks) == 1:
            return next(iter(self._tasks.values()))
        return self._tasks.get(given.text("task_id"), "")

    def _track(self) -> int:
        try:
            return whole_number(self._text.strip())
        except ValueError:
            where = f"line {self._line()}: attribute"
            raise DatasetError.at(
                self._path, where, f"track_id is {self._text.strip()[:40]!r}, expected a whole number"
            ) from None


def _shape(given: Attributes, size: _Size) -> Shape:
    shape = Shape(
        place=f"line {given.line}: {given.element}", box=None, track=-1, row=None, pixels=None,
        label=given.text("label"),
    )  # fmt: skip
    if given.element == "box":
        x0, y0, x1, y1 = (given.decimal(name) for name in ("xtl", "ytl", "xbr", "ybr"))
        return replace(shape, box=(x0, y0, x1, y1))
    if given.element == "polygon":
        return replace(shape, pixels=partial(_polygon, given, given.text("points"), size))
    place = tuple(given.whole(name) for name in ("left", "top", "width", "height"))
    left, top, width, height = place
    if left < 0 or top < 0 or min(width, height) < 1 or left + width > size[1] or top + height > size[0]:
        raise given.error(f"left, top, width, height {place} leave the image of {size[1]} x {size[0]} pixels")
    return replace(shape, pixels=partial(_runs, given, given.text("rle"), place, size))


def _runs(given: Attributes, text: str, place: tuple[int, ...], size: _Size) -> Plane:
    left, top, width, height = place
    try:
        counts = [whole_number(part.strip()) for part in text.split(",")]
        piece = from_counts(counts, (height, width))
    except ValueError as error:
        raise given.error(f"rle: {error}", f"expected run lengths of {width} x {height} pixels") from error
    plane = np.zeros(size, np.uint8)
    plane[top : top + height, left : left + width] = piece
    return plane


def _polygon(given: Attributes, text: str, size: _Size) -> Plane:
    try:
        corners = [decimal(value) for point in text.split(";") for value in point.split(",")]
        return from_polygon(corners, size)
    except ValueError as error:
        raise given.error(f"points: {error}", "expected x,y;x,y;x,y") from error

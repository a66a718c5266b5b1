"""PASCAL VOC annotation files: XML of one picture to native boxes, without a word on where images lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
import numpy.typing as npt
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import parse

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.native import Collector, NativeBoxes
from spotlabel.pipeline.datasets.text import decimal, whole_number
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.inputs import open_input

ORIGIN = 1.0
"""Left and top image edge in VOC's coordinates: the first pixel has the number 1."""

PLACE = "object {}"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
SIDES = ("xmin", "ymin", "xmax - xmin + 1", "ymax - ymin + 1")


@dataclass(frozen=True)
class VocFile:
    """All of one file.

    Attributes:
        file_name: ``filename`` as written, empty if not given; data, to be checked before it becomes a path.
        size: height and width, None if not given.
        boxes: in the order of the file, in native coordinates: x0, y0 of the first pixel's number, x1, y1
            one above the last pixel's. Frame numbers are 0, classes in order of appearance.
        difficult: bool (N,), objects that count neither as found nor as missed.
    """

    file_name: str
    size: tuple[int, int] | None
    boxes: NativeBoxes
    difficult: npt.NDArray[np.bool_]


def read_voc(path: Path) -> VocFile:
    """Parse a file. Parts of objects (``part``), poses and actions are passed over.

    Raises:
        DatasetError: the file cannot be read, is no well-formed XML, contains a DTD or entities, or is not a
            VOC file; names the object, counted from 1, and the field.
    """
    root = _root(path)
    if root.tag != "annotation":
        raise DatasetError.at(path, "", f"the outermost element is <{root.tag[:40]}>, expected <annotation>")
    collector = Collector(path, PLACE, SIDES)
    names: dict[str, int] = {}
    difficult: list[bool] = []
    for number, element in enumerate(root.findall("object"), 1):
        fields = _Fields(path, element, PLACE.format(number))
        name = fields.text("name")
        x0, y0, x1, y1 = fields.corners()
        # Corners are those of pixels: the last one is part of the box.
        xyxy = (x0, y0, x1 + 1, y1 + 1)
        flags = BoxFlag.TRUNCATED * fields.switch("truncated") | BoxFlag.OCCLUDED * fields.switch("occluded")
        collector.add(0, xyxy, number, class_id=names.setdefault(name, len(names)), flags=int(flags))
        difficult.append(fields.switch("difficult"))
    return VocFile(
        file_name=(root.findtext("filename") or "").strip(),
        size=_size(path, root),
        boxes=collector.boxes(tuple(names)),
        difficult=np.array(difficult, np.bool_),
    )


def _root(path: Path) -> Element:
    try:
        with open_input(path) as file:
            root = parse(file, forbid_dtd=True).getroot()
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror or error}") from error
    except ParseError as error:
        raise DatasetError.at(path, "", f"no well-formed XML: {error}", "restore the file") from error
    except DefusedXmlException as error:
        raise DatasetError.at(path, "", "DTDs and entities are not accepted", "remove them") from error
    except (ValueError, LookupError) as error:
        raise DatasetError.at(path, "", f"no XML that can be read: {error}") from error
    assert root is not None  # a document without an element is not well-formed
    return root


def _size(path: Path, root: Element) -> tuple[int, int] | None:
    element = root.find("size")
    if element is None:
        return None
    fields = _Fields(path, element, "size")
    return fields.positive("height"), fields.positive("width")


@dataclass(frozen=True)
class _Fields:
    """Children of one element, read with checks."""

    path: Path
    element: Element
    place: str

    def text(self, name: str) -> str:
        text = (self.element.findtext(name) or "").strip()
        if not text:
            raise self.error(f"{name} is missing")
        return text

    def corners(self) -> tuple[float, float, float, float]:
        found = self.element.findall("bndbox")
        if len(found) != 1:
            raise self.error(f"{len(found)} elements <bndbox>, expected one")
        box = _Fields(self.path, found[0], self.place)
        x0, y0, x1, y1 = (box.number(name) for name in CORNERS)
        return x0, y0, x1, y1

    def number(self, name: str) -> float:
        text = self.text(name)
        try:
            return decimal(text)
        except ValueError:
            raise self.error(f"{name} is {text[:40]!r}, expected a number") from None

    def positive(self, name: str) -> int:
        text = self.text(name)
        try:
            value = whole_number(text)
        except ValueError:
            value = 0
        if value < 1:
            raise self.error(f"{name} is {text[:40]!r}, expected a whole number above 0")
        return value

    def switch(self, name: str) -> bool:
        """Whether an element is 1; no element is 0."""
        text = (self.element.findtext(name) or "0").strip()
        if text not in ("0", "1"):
            raise self.error(f"{name} is {text[:40]!r}, expected 0 or 1")
        return text == "1"

    def error(self, problem: str) -> DatasetError:
        return DatasetError.at(self.path, self.place, problem)

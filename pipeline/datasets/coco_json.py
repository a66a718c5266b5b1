"""COCO JSON: file to images, sequences and native boxes, without a word on where the image files lie.

Boxes are ``x, y, width, height``, 0-based. To which sequence an image belongs and which frame it is says
:mod:`spotlabel.pipeline.datasets.coco_images`. Track ids may be numbers or text, and stand under
``attributes`` as well (CVAT); ``iscrowd``, ``ignore``, ``occluded`` and ``truncated`` mean what they say.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.coco_images import CocoImage, read_images
from spotlabel.pipeline.datasets.coco_item import Id, Item, shown, whole_of
from spotlabel.pipeline.datasets.image_names import with_slashes
from spotlabel.pipeline.datasets.native import Collector, NativeBoxes, NativeRects
from spotlabel.pipeline.datasets.text import MAX_WHOLE, read_text
from spotlabel.pipeline.datasets.tracks import track_numbers
from spotlabel.pipeline.errors import DatasetError

ORIGIN = 0.0
PLACE = "annotations[{}]"
TRACKS = ("track_id", "instance_id")
_LATER_READ = re.compile(
    r'"(?:attributes|occluded|truncated)"\s*:|"(?:iscrowd|ignore)"\s*:\s*"|\.rf\.[0-9A-Za-z]+\.'
)
_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class CocoFile:
    """A parsed file.

    Attributes:
        path: the file.
        images: its images by image id.
        class_names: names of the categories, in the order of their ids.
        problems: why sequences cannot be used, by their names.
    """

    path: Path
    images: Mapping[Id, CocoImage]
    class_names: tuple[str, ...]
    _class_of: Mapping[Id, int]
    _annotations: Mapping[str, list[Item]]
    problems: Mapping[str, str] = field(default_factory=dict)

    def sequences(self) -> dict[str, list[CocoImage]]:
        """Images of every sequence, in the order of their frame numbers."""
        found: dict[str, list[CocoImage]] = {}
        for image in self.images.values():
            found.setdefault(image.sequence, []).append(image)
        return {name: sorted(images, key=lambda image: image.frame) for name, images in found.items()}

    def boxes(self, sequence: str) -> tuple[NativeBoxes, NativeRects]:
        """Boxes of one sequence, and its ignore regions: annotations with ``iscrowd`` or ``ignore``.

        Raises:
            DatasetError: names the annotation and the field.
        """
        boxes = Collector(self.path, PLACE, ("bbox[0]", "bbox[1]", "bbox[2]", "bbox[3]"))
        crowds = Collector(self.path, PLACE, boxes.fields)
        items = self._annotations.get(sequence, [])
        tracks = track_numbers([item.value(*TRACKS) for item in items])
        for item, track in zip(items, tracks, strict=True):
            frame = _known(self.images, item, "image_id").frame
            place = int(item.place[len("annotations[") : -1])
            if item.truth("iscrowd") or item.truth("ignore"):
                crowds.add(frame, item.box(), place)
                continue
            class_id = _known(self._class_of, item, "category_id")
            if track is None:
                raise item.error(f"{TRACKS[0]} is {shown(item.value(*TRACKS))}, expected a number or text")
            flags = int(BoxFlag.OCCLUDED) * item.truth("occluded") | int(BoxFlag.TRUNCATED) * item.truth(
                "truncated"
            )
            boxes.add(
                frame,
                item.box(),
                place,
                class_id=class_id,
                track_id=track,
                flags=flags,
                area=_area(item.data.get("area")),
            )
        return boxes.boxes(self.class_names), crowds.rects()


def read_coco(path: Path, relative: Callable[[str], str] = with_slashes) -> CocoFile:
    """Parse a file; annotations are checked when their sequence is asked for.

    Args:
        path: the file.
        relative: what a ``file_name`` is relative to the folder of the images, with ``/`` between folders.

    Raises:
        DatasetError: names the element and the field.
    """
    document = _document(path)
    listed = read_images(path, json_items(path, document, "images"), _videos(path, document), relative)
    images = listed.images
    categories = sorted(
        json_items(path, document, "categories"), key=lambda item: _order(item.identifier("id"))
    )
    names = tuple(dict.fromkeys(item.text("name") for item in categories))
    class_of = {item.identifier("id"): names.index(item.text("name")) for item in categories}
    annotations: dict[str, list[Item]] = {}
    for item in json_items(path, document, "annotations"):
        image = _known(images, item, "image_id")
        annotations.setdefault(image.sequence, []).append(item)
    return CocoFile(path, images, names, class_of, annotations, listed.problems)


def rules_of(path: Path, version: int) -> str:
    """Version of the rules that a file is read by.

    Values under ``attributes``, flags, truth values as text and exporters' names were once not read, or read
    otherwise: what was made from files that have them is not up to date.
    """
    return f"{version}.1" if _LATER_READ.search(read_text(path)) else f"{version}"


def read_json(path: Path) -> Any:
    """A JSON file as plain data.

    Raises:
        DatasetError: the file cannot be read or is no JSON; names the line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError.at(path, f"line {error.lineno}", f"no valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError.at(path, "", f"no JSON that can be read: {error}") from error


def _document(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not isinstance(document, dict):
        raise DatasetError.at(path, "", "expected a JSON object with images, annotations and categories")
    return document


def json_items(path: Path, document: Mapping[str, Any], key: str, *, required: bool = True) -> list[Item]:
    """The objects of a list in a document.

    Args:
        path: the file.
        document: all of it.
        key: name of the list.
        required: whether it has to be there.

    Raises:
        DatasetError: it is no list of objects.
    """
    values = document.get(key, None if required else [])
    if not isinstance(values, list):
        raise DatasetError.at(path, key, f"is {shown(values)}, expected a list")
    items = [Item(path, f"{key}[{i}]", value) for i, value in enumerate(values)]
    for item in items:
        if not isinstance(item.data, dict):
            raise item.error(f"is {shown(item.data)}, expected an object")
    return items


def _area(value: object) -> float:
    """A given area; NaN if there is none, or no number: nothing but a check hangs on it."""
    if isinstance(value, float) or (type(value) is int and abs(value) < MAX_WHOLE):
        return float(value)
    return math.nan


def _order(identifier: Id) -> tuple[bool, int, str]:
    """Numbers before texts."""
    return (True, 0, identifier) if isinstance(identifier, str) else (False, identifier, "")


def _videos(path: Path, document: Mapping[str, Any]) -> dict[Id, str]:
    """Names of the videos by their ids."""
    videos: dict[Id, str] = {}
    for item in json_items(path, document, "videos", required=False):
        name = item.text("name")
        if name in videos.values():
            raise item.error(f"name {name[:80]!r} a second time")
        videos[item.identifier("id")] = name
    return videos


def _known(things: Mapping[Id, _Thing], item: Item, key: str) -> _Thing:
    """What an id stands for; 7 and "7" are one id unless both are there."""
    given = item.identifier(key)
    number = whole_of(given)
    for value in (given, str(given), number):
        if value is not None and value in things:
            return things[value]
    section = {"image_id": "images", "category_id": "categories"}[key]
    raise item.error(f"{key} {shown(given)} is not among the {section}")

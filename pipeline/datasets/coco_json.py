"""COCO JSON: file to images, sequences and native boxes, without a word on where the image files lie.

Boxes are ``x, y, width, height``, 0-based. An image belongs to the sequence ``video_id`` (by the name in
``videos`` if there is one) or else to the folder part of its ``file_name``. Its frame number is ``frame_id``,
``frame_index`` or else the last run of digits in the file name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from spotlabel.pipeline.datasets.native import Collector, NativeBoxes, NativeRects, corners
from spotlabel.pipeline.datasets.text import MAX_WHOLE, read_text
from spotlabel.pipeline.errors import DatasetError

ORIGIN = 0.0
PLACE = "annotations[{}]"

Id = int | str


@dataclass(frozen=True)
class CocoImage:
    """One entry of ``images``.

    Attributes:
        place: where it stands, for messages.
        file_name: as given; data, to be checked before it becomes a path.
        sequence: name of its sequence.
        frame: frame number.
        size: height and width, None if not given.
    """

    place: str
    file_name: str
    sequence: str
    frame: int
    size: tuple[int, int] | None


@dataclass(frozen=True)
class _Item:
    """One JSON object with its place in the file; reads checked fields."""

    path: Path
    place: str
    data: Mapping[str, Any]

    def error(self, problem: str) -> DatasetError:
        return DatasetError.at(self.path, self.place, problem)

    def identifier(self, key: str) -> Id:
        value = self.data.get(key)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self.error(f"{key} is {_shown(value)}, expected a number or text")

    def text(self, key: str) -> str:
        value = self.data.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"{key} is {_shown(value)}, expected text")
        return value

    def whole(self, key: str) -> int:
        value = self.data.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= MAX_WHOLE:
            raise self.error(f"{key} is {_shown(value)}, expected a whole number")
        return value

    def box(self) -> tuple[float, float, float, float]:
        value = self.data.get("bbox")
        numbers = isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))
        if not isinstance(value, list) or not numbers:
            raise self.error(f"bbox is {_shown(value)}, expected [x, y, width, height]")
        x, y, width, height = (float(number) for number in value)
        return corners(x, y, width, height)

    def first(self, *keys: str) -> str | None:
        """The first of some keys that has a value."""
        return next((key for key in keys if self.data.get(key) is not None), None)


@dataclass(frozen=True)
class CocoFile:
    """A parsed file.

    Attributes:
        path: the file.
        images: its images by image id.
        class_names: names of the categories, in the order of their ids.
    """

    path: Path
    images: Mapping[Id, CocoImage]
    class_names: tuple[str, ...]
    _class_of: Mapping[Id, int]
    _annotations: Mapping[str, list[_Item]]

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
        for item in self._annotations.get(sequence, []):
            frame = self.images[item.identifier("image_id")].frame
            place = int(item.place[len("annotations[") : -1])
            if item.data.get("iscrowd") or item.data.get("ignore"):
                crowds.add(frame, item.box(), place)
                continue
            category = item.identifier("category_id")
            if category not in self._class_of:
                raise item.error(f"category_id {_shown(category)} is not among the categories")
            track_key = item.first("track_id", "instance_id")
            track = item.whole(track_key) if track_key else -1
            boxes.add(
                frame,
                item.box(),
                place,
                class_id=self._class_of[category],
                track_id=track,
                area=_area(item.data.get("area")),
            )
        return boxes.boxes(self.class_names), crowds.rects()


def read_coco(path: Path) -> CocoFile:
    """Parse a file; annotations are checked when their sequence is asked for.

    Raises:
        DatasetError: names the element and the field.
    """
    document = _document(path)
    images = _images(path, document)
    categories = sorted(_items(path, document, "categories"), key=lambda item: _order(item.identifier("id")))
    names = tuple(dict.fromkeys(item.text("name") for item in categories))
    class_of = {item.identifier("id"): names.index(item.text("name")) for item in categories}
    annotations: dict[str, list[_Item]] = {}
    for item in _items(path, document, "annotations"):
        image_id = item.identifier("image_id")
        if image_id not in images:
            raise item.error(f"image_id {_shown(image_id)} is not among the images")
        annotations.setdefault(images[image_id].sequence, []).append(item)
    return CocoFile(path, images, names, class_of, annotations)


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


def _items(path: Path, document: Mapping[str, Any], key: str, *, required: bool = True) -> list[_Item]:
    values = document.get(key, None if required else [])
    if not isinstance(values, list):
        raise DatasetError.at(path, key, f"is {_shown(values)}, expected a list")
    items = [_Item(path, f"{key}[{i}]", value) for i, value in enumerate(values)]
    for item in items:
        if not isinstance(item.data, dict):
            raise item.error(f"is {_shown(item.data)}, expected an object")
    return items


def _images(path: Path, document: Mapping[str, Any]) -> dict[Id, CocoImage]:
    videos: dict[Id, str] = {}
    for item in _items(path, document, "videos", required=False):
        name = item.text("name")
        if name in videos.values():
            raise item.error(f"name {name[:80]!r} a second time")
        videos[item.identifier("id")] = name
    images: dict[Id, CocoImage] = {}
    seen: dict[tuple[str, int], str] = {}
    for item in _items(path, document, "images"):
        image = _image(item, videos)
        image_id = item.identifier("id")
        if image_id in images:
            raise item.error(f"id {_shown(image_id)} a second time")
        if other := seen.get((image.sequence, image.frame)):
            problem = (
                f"frame {image.frame} of sequence {image.sequence[:80]!r} a second time, first in {other}"
            )
            raise item.error(problem)
        seen[image.sequence, image.frame] = image.place
        images[image_id] = image
    return images


def _image(item: _Item, videos: Mapping[Id, str]) -> CocoImage:
    file_name = item.text("file_name")
    if item.data.get("video_id") is not None:
        video = item.identifier("video_id")
        if videos and video not in videos:
            raise item.error(f"video_id {_shown(video)} is not among the videos")
        sequence = videos.get(video, str(video))
    else:
        folder = str(PurePosixPath(file_name).parent)
        sequence = item.path.stem if folder == "." else folder
    key = item.first("frame_id", "frame_index")
    frame = item.whole(key) if key else _frame_of(item, file_name)
    size = (item.whole("height"), item.whole("width")) if item.first("height", "width") else None
    return CocoImage(item.place, file_name, sequence, frame, size)


def _frame_of(item: _Item, file_name: str) -> int:
    digits = re.findall(r"[0-9]+", PurePosixPath(file_name).stem)
    if not digits or len(digits[-1]) > 15:
        raise item.error(f"no frame_id, and no frame number in file_name {file_name[:80]!r}")
    return int(digits[-1])


def _area(value: object) -> float:
    """A given area; NaN if there is none, or no number: nothing but a check hangs on it."""
    return float(value) if isinstance(value, int | float) and _is_number(value) else float("nan")


def _is_number(value: object) -> bool:
    """Whether a value can become a float; NaN and infinity can, and are refused with the geometry."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_WHOLE
    return whole or isinstance(value, float)


def _order(identifier: Id) -> tuple[bool, int, str]:
    """Numbers before texts."""
    return (True, 0, identifier) if isinstance(identifier, str) else (False, identifier, "")


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]

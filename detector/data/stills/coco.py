"""Pictures of COCO: boxes and outlines in one JSON file, images in one folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import Field, StrictInt, StrictStr, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.boxes import fit
from spotlabel.detector.data.stills.coco_masks import CocoMask, Runs, runs_of, runs_of_box, union
from spotlabel.detector.data.stills.picture import Picture
from spotlabel.pipeline.datasets.coco_json import ORIGIN, PLACE, read_json
from spotlabel.pipeline.datasets.layout import inside
from spotlabel.pipeline.datasets.native import Collector, corners
from spotlabel.pipeline.datasets.text import read_text
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.validation import shown

logger = logging.getLogger("spotlabel")

Id = StrictInt | StrictStr
Side = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True)]
"""NaN and infinity are refused with the geometry."""


class _Image(TypedDict):
    id: Id
    file_name: StrictStr
    height: Side
    width: Side


class _Annotation(TypedDict):
    image_id: Id
    category_id: Id
    bbox: Annotated[list[Number], Field(min_length=4, max_length=4)]
    iscrowd: NotRequired[int]
    ignore: NotRequired[int]
    segmentation: NotRequired[Any]


class _Category(TypedDict):
    id: Id
    name: Annotated[str, Field(strict=True, min_length=1)]


class _Document(TypedDict):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


@dataclass(frozen=True)
class CocoSet:
    """An annotations file.

    Attributes:
        path: the file.
        class_names: names of its categories, in its order.
    """

    path: Path
    class_names: tuple[str, ...]
    _images: Mapping[Id, tuple[int, _Image]]
    _annotations: Mapping[Id, list[tuple[int, _Annotation]]]
    _class_of: Mapping[Id, int]

    def pictures(
        self, images: Path, classes: ClassMap, only: Path | None = None, without: Path | None = None
    ) -> list[Picture]:
        """Pictures in the order of the file, with their objects; crowds are ignore regions.

        Masks hold objects of every class, be it left out or not. Crowds in them are unknown, and so are the
        boxes of objects without an outline. Boxes without area are left out and counted in the log: COCO
        holds a few.

        Args:
            images: folder of the image files.
            classes: the detector's classes; boxes of others are left out.
            only: text file with ids or file names of the pictures to take, one a line (``minival``).
            without: likewise, of pictures to leave out (``trainval35k``).

        Raises:
            DatasetError: an annotation, a name of a file, or a list cannot be used; names the place.
        """
        wanted = set(self._images) if only is None else self._listed(only)
        wanted -= set() if without is None else self._listed(without)
        flat = 0
        found = []
        for key, (place, image) in self._images.items():
            if key in wanted:
                picture, dropped = self._picture(place, image, images, classes)
                found.append(picture)
                flat += dropped
        if not found:
            raise DatasetError.at(self.path, "images", "there is no picture to take")
        if flat:
            logger.warning("%s: %d boxes without area are left out", self.path, flat)
        return found

    def _picture(self, place: int, image: _Image, folder: Path, classes: ClassMap) -> tuple[Picture, int]:
        """One picture, and how many of its boxes have no area."""
        size = (image["height"], image["width"])
        boxes = Collector(self.path, PLACE, ("bbox[0]", "bbox[1]", "bbox[2]", "bbox[3]"))
        crowds = Collector(self.path, PLACE, boxes.fields)
        foreground: list[Runs] = []
        unknown: list[Runs] = []
        without_outline: list[list[float]] = []
        flat = 0
        for number, item in self._annotations.get(image["id"], []):
            x, y, width, height = item["bbox"]
            crowd = bool(item.get("iscrowd") or item.get("ignore"))
            if width == 0 or height == 0:
                flat += 1
            else:
                class_id = 0 if crowd else self._class(number, item)
                into = crowds if crowd else boxes
                into.add(0, corners(x, y, width, height), number, class_id=class_id)
            runs = self._runs(number, item, size)
            (unknown if crowd else foreground).extend(runs)
            if not runs:
                without_outline.append(item["bbox"])
        fitted = fit(boxes.boxes(self.class_names), crowds.rects(), size, ORIGIN, classes)
        unknown += [run for box in without_outline for run in runs_of_box(box, size)]
        path = inside(folder, image["file_name"], self.path, f"images[{place}]: file_name")
        return Picture(path, size, *fitted, mask=CocoMask(union(foreground), union(unknown))), flat

    def _class(self, number: int, item: _Annotation) -> int:
        key = item["category_id"]
        if key not in self._class_of:
            raise self._error(number, f"category_id {shown(key)} is not among the categories")
        return self._class_of[key]

    def _runs(self, number: int, item: _Annotation, size: tuple[int, int]) -> list[Runs]:
        try:
            return runs_of(item.get("segmentation"), size)
        except ValueError as error:
            raise self._error(number, f"segmentation: {error}") from error

    def _listed(self, path: Path) -> set[Id]:
        """Ids of the pictures in a list."""
        known: dict[str, Id] = {str(key): key for key in self._images}
        known |= {image["file_name"]: key for key, (_, image) in self._images.items()}
        found: set[Id] = set()
        for line, text in enumerate(read_text(path).split("\n"), 1):
            if name := text.strip():
                if name not in known:
                    problem = f"{name[:80]!r} is neither id nor file_name of a picture in {self.path}"
                    raise DatasetError.at(path, f"line {line}", problem)
                found.add(known[name])
        if not found:
            raise DatasetError.at(path, "", "lists no picture")
        return found

    def _error(self, number: int, problem: str) -> DatasetError:
        return DatasetError.at(self.path, PLACE.format(number), problem)


def read_coco_set(path: Path) -> CocoSet:
    """Parse an annotations file; outlines and boxes are checked when pictures are asked for.

    Raises:
        DatasetError: cannot be read, or an element or field is not what it should be; names its place.
    """
    document = _document(path)
    images: dict[Id, tuple[int, _Image]] = {}
    for place, image in enumerate(document["images"]):
        if image["id"] in images:
            raise DatasetError.at(path, f"images[{place}]", f"id {shown(image['id'])} a second time")
        images[image["id"]] = (place, image)
    names = tuple(dict.fromkeys(category["name"] for category in document["categories"]))
    class_of = {category["id"]: names.index(category["name"]) for category in document["categories"]}
    annotations: dict[Id, list[tuple[int, _Annotation]]] = {}
    for number, item in enumerate(document["annotations"]):
        if item["image_id"] not in images:
            problem = f"image_id {shown(item['image_id'])} is not among the images"
            raise DatasetError.at(path, PLACE.format(number), problem)
        annotations.setdefault(item["image_id"], []).append((number, item))
    return CocoSet(path, names, images, annotations, class_of)


_ADAPTER = TypeAdapter(_Document)


def _document(path: Path) -> _Document:
    try:
        return _ADAPTER.validate_python(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        message = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        problem = message if first["type"] == "missing" else f"{message}, found {shown(first['input'])}"
        raise DatasetError.at(path, place.lstrip("."), problem) from error

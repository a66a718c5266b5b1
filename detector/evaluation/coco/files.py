"""COCO's JSON files as the evaluation needs them; a bad element is named with its place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotlabel.detector.evaluation.coco.metrics import CocoDetections, CocoTruth
from spotlabel.pipeline.datasets.coco_json import read_json
from spotlabel.pipeline.errors import DatasetError

Id = int | str


@dataclass(frozen=True)
class CocoAnnotations:
    """An annotations file.

    Attributes:
        truth: its objects.
        images: position of each image by its id.
        categories: position of each category by its id.
    """

    truth: CocoTruth
    images: Mapping[Id, int]
    categories: Mapping[Id, int]


@dataclass(frozen=True)
class _Element:
    """One JSON object with its place in the file."""

    path: Path
    place: str
    data: Mapping[str, Any]

    def error(self, problem: str, advice: str = "") -> DatasetError:
        return DatasetError.at(self.path, self.place, problem, advice)

    def identifier(self, key: str) -> Id:
        value = self._required(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return value
        raise self.error(f"{key} is {_shown(value)}, expected a whole number or text")

    def position(self, key: str, known: Mapping[Id, int], where: str) -> int:
        """Position of an id that has to be known."""
        name = self.identifier(key)
        if name not in known:
            raise self.error(f"{key} {_shown(name)} is not among {where}")
        return known[name]

    def number(self, key: str) -> float:
        value = self._required(key)
        if not _is_number(value):
            raise self.error(f"{key} is {_shown(value)}, expected a finite number")
        return float(value)

    def box(self) -> list[float]:
        value = self._required("bbox")
        if not (isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))):
            raise self.error(f"bbox is {_shown(value)}, expected [left, top, width, height], finite numbers")
        if min(value[2:]) < 0:
            raise self.error(f"bbox is {_shown(value)}: width and height must not be negative")
        return [float(number) for number in value]

    def _required(self, key: str) -> Any:
        if key not in self.data:
            raise self.error(f"has no {key!r}")
        return self.data[key]


def read_coco_annotations(path: Path) -> CocoAnnotations:
    """Read ground truth: ``images``, ``annotations`` and ``categories``.

    Objects without ``area`` have that of their box, those without ``iscrowd`` are no crowd.

    Raises:
        DatasetError: the file cannot be read, or an element of it cannot be used.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise DatasetError.at(path, "", "expected an object with images, annotations and categories")
    images = _positions(_elements(path, "images", document.get("images")))
    kinds = _elements(path, "categories", document.get("categories"))
    categories = _positions(kinds)
    image: list[int] = []
    category: list[int] = []
    boxes: list[list[float]] = []
    area: list[float] = []
    crowd: list[bool] = []
    for element in _elements(path, "annotations", document.get("annotations")):
        image.append(element.position("image_id", images, "the images"))
        category.append(element.position("category_id", categories, "the categories"))
        boxes.append(element.box())
        area.append(element.number("area") if "area" in element.data else boxes[-1][2] * boxes[-1][3])
        crowd.append(bool(element.data.get("iscrowd", 0)))
    truth = CocoTruth(
        images=len(images),
        categories=_names(kinds),
        image=np.array(image, np.int64),
        category=np.array(category, np.int64),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        area=np.array(area, np.float64),
        crowd=np.array(crowd, np.bool_),
    )
    return CocoAnnotations(truth, images, categories)


def read_coco_results(
    path: Path, annotations: CocoAnnotations, class_agnostic: bool = False
) -> CocoDetections:
    """Read detections: a list of ``image_id``, ``category_id``, ``bbox`` and ``score``.

    Args:
        path: the results file; an empty list holds no detections.
        annotations: what the ids have to be found in.
        class_agnostic: do not look at ``category_id``; it may be missing or unknown.

    Raises:
        DatasetError: the file cannot be read, or an element of it cannot be used.
    """
    categories = None if class_agnostic else annotations.categories
    return read_results(path, annotations.images, categories)


def read_results(path: Path, images: Mapping[Id, int], categories: Mapping[Id, int] | None) -> CocoDetections:
    """Read detections whose ids are those of some mappings.

    Args:
        path: the results file; an empty list holds no detections.
        images: number of each image by its id.
        categories: number of each category by its id; None does not look at ``category_id``.

    Returns:
        Detections with these numbers as image and category (0 where categories do not matter).

    Raises:
        DatasetError: the file cannot be read, or an element of it cannot be used.
    """
    where = "the images of the annotations"
    image: list[int] = []
    category: list[int] = []
    boxes: list[list[float]] = []
    score: list[float] = []
    for element in _elements(path, "", read_json(path)):
        image.append(element.position("image_id", images, where))
        if categories is not None:
            category.append(element.position("category_id", categories, "the categories"))
        boxes.append(element.box())
        score.append(element.number("score"))
    return CocoDetections(
        image=np.array(image, np.int64),
        category=np.array(category or [0] * len(image), np.int64),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        score=np.array(score, np.float64),
    )


def _elements(path: Path, key: str, values: Any) -> list[_Element]:
    if not isinstance(values, list):
        raise DatasetError.at(path, key, f"expected a list, found {_shown(values)}")
    elements = [_Element(path, f"{key or 'result'}[{n}]", value) for n, value in enumerate(values)]
    for element in elements:
        if not isinstance(element.data, dict):
            raise element.error(f"expected an object, found {_shown(element.data)}")
    return elements


def _positions(elements: list[_Element]) -> dict[Id, int]:
    found: dict[Id, int] = {}
    for position, element in enumerate(elements):
        name = element.identifier("id")
        if name in found:
            raise element.error(f"id {_shown(name)} a second time")
        found[name] = position
    return found


def _names(categories: list[_Element]) -> tuple[str, ...]:
    """Names of the categories, each once; the id where there is no name."""
    names = [str(c.data.get("name", c.identifier("id"))) for c in categories]
    return tuple(
        f"{name} ({category.identifier('id')})" if names.count(name) > 1 else name
        for name, category in zip(names, categories, strict=True)
    )


def _is_number(value: object) -> bool:
    # NaN is not below anything.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."

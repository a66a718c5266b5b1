"""Ids of images and categories for COCO results: those of an annotations file, or numbers of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from spotlabel.detector.prediction.clips import Clip
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.regular import regular_bytes
from spotlabel.pipeline.validation import nearest

Id = int | str


@dataclass(frozen=True)
class CocoIds:
    """What an annotations file calls its images and categories.

    Attributes:
        path: the file.
        images: ids of the images by the last part of ``file_name``, each with the whole of it.
        categories: ids by name.
    """

    path: Path
    images: Mapping[str, list[tuple[PurePosixPath, Id]]]
    categories: Mapping[str, Id]

    def of_clip(self, clip: Clip) -> dict[int, Id]:
        """Image ids of all frames of a clip of image files, by frame number.

        Raises:
            DatasetError: no image files, or one that the annotations do not name, or name twice.
        """
        files = clip.image_files()
        if not files:
            raise DatasetError.at(self.path, "", f"names image files, and {clip.name} has none")
        return {number: self._of_file(file) for number, file in files.items()}

    def _of_file(self, file: Path) -> Id:
        parts = file.absolute().parts
        found = [i for name, i in self.images.get(file.name, []) if parts[-len(name.parts) :] == name.parts]
        if len(found) != 1:
            problem = "two images called" if found else "no image called"
            raise DatasetError.at(self.path, "images", f"has {problem} {file.name} ({file})")
        return found[0]

    def of_classes(self, class_names: tuple[str, ...]) -> list[Id]:
        """Category ids of a model's classes; a detector of one class that is no category gets 1.

        Raises:
            DatasetError: a class of several is no category of the file.
        """
        if len(class_names) == 1 and class_names[0] not in self.categories:
            return [1]
        for name in class_names:
            if name not in self.categories:
                advice = nearest(name, self.categories)
                raise DatasetError.at(
                    self.path, "categories", f"none is called {name!r}, a class of the model; {advice}"
                )
        return [self.categories[name] for name in class_names]


def read_coco_ids(path: Path) -> CocoIds:
    """Read the ids of an annotations file.

    Raises:
        DatasetError: not readable, or without usable ``images`` and ``categories``.
    """
    try:
        document = json.loads(regular_bytes(path))
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DatasetError.at(path, "", f"is no JSON: {error}") from error
    images: dict[str, list[tuple[PurePosixPath, Id]]] = {}
    for name, value in _named(path, document, "images", "file_name"):
        images.setdefault(PurePosixPath(name).name, []).append((PurePosixPath(name), value))
    return CocoIds(path, images, dict(_named(path, document, "categories", "name")))


def _named(path: Path, document: Any, section: str, key: str) -> list[tuple[str, Id]]:
    """Name and id of every element of a section."""
    elements = document.get(section) if isinstance(document, dict) else None
    if not isinstance(elements, list):
        raise DatasetError.at(path, section, "expected a list", "is it a COCO annotations file?")
    found = []
    for place, element in enumerate(elements):
        name, value = (element.get(k) if isinstance(element, dict) else None for k in (key, "id"))
        if not isinstance(name, str) or not isinstance(value, int | str) or isinstance(value, bool):
            problem = f"expected {key} (text) and id (number or text)"
            raise DatasetError.at(path, f"{section}[{place}]", problem)
        found.append((name, value))
    return found

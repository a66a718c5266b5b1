"""COCO instances: what ``export masks --format coco`` writes, and what other tools make of it.

An annotation is told by ``track_id``, or by its box: ``box``, its place in the frame, where it is there, else
``bbox``. With ``iscrowd`` it is an object of which nothing is known; without a box of the dataset it is one
of the regions that exports add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.datasets.coco_item import Id, Item, shown, whole_of
from spotlabel.pipeline.datasets.coco_json import json_items, read_json
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.imports.pixels import from_columns, from_polygon, unpacked_counts
from spotlabel.pipeline.imports.shapes import Picture, Shape
from spotlabel.pipeline.store.sound import MAX_PIXELS

_TRACKS = ("track_id", "instance_id")


def read_coco_masks(path: Path) -> Iterator[Picture]:
    """Pictures of a file; masks are drawn when they are asked for.

    Args:
        path: the file.

    Raises:
        DatasetError: names the element and the field.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise DatasetError.at(path, "", "expected a JSON object with images and annotations")
    videos = {
        item.identifier("id"): item.text("name")
        for item in json_items(path, document, "videos", required=False)
    }
    by_image: dict[Id, list[Item]] = {}
    images = json_items(path, document, "images")
    for image in images:
        if by_image.setdefault(image.identifier("id"), []):
            raise image.error(f"id {shown(image.data['id'])} a second time")
    for item in json_items(path, document, "annotations"):
        image_id = item.identifier("image_id")
        if image_id not in by_image:
            raise item.error(f"image_id {shown(image_id)} is not among the images")
        by_image[image_id].append(item)
    for image in images:
        yield _picture(image, videos, by_image[image.identifier("id")])


def _picture(image: Item, videos: Mapping[Id, str], annotations: list[Item]) -> Picture:
    name = PurePosixPath(image.text("file_name").replace("\\", "/"))
    size = image.whole("height"), image.whole("width")
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        raise image.error(f"a size of {size[1]} x {size[0]} pixels")
    video = image.data.get("video_id")
    known = videos.get(video, "") if isinstance(video, int | str) else ""
    return Picture(
        place=image.place,
        video=known or (name.parts[-2] if len(name.parts) > 1 else ""),
        number=whole_of(image.data.get("frame")),
        name=name.stem,
        size=size,
        shapes=tuple(shape for item in annotations for shape in _shapes(item, size)),
    )


def _shapes(item: Item, size: tuple[int, int]) -> Iterator[Shape]:
    """One, or none for a region of which no box is told."""
    named, row, crowd = item.value(*_TRACKS), whole_of(item.data.get("box")), item.truth("iscrowd")
    track = whole_of(named)
    if crowd and named is None and row is None:
        return
    x0, y0, x1, y1 = item.box()
    yield Shape(
        place=item.place,
        box=None if x1 <= x0 or (crowd and named is None) else (x0, y0, x1, y1),
        track=-1 if track is None else track,
        row=row,
        pixels=None if crowd else lambda: _drawn(item, size),
        odd_track=track is None and named is not None,
    )


def _drawn(item: Item, size: tuple[int, int]) -> Plane:
    found = item.data.get("segmentation")
    try:
        if isinstance(found, dict):
            return _from_runs(item, found, size)
        if isinstance(found, list) and found and all(isinstance(part, list) for part in found):
            parts = [from_polygon([_number(value) for value in part], size) for part in found]
            drawn: Plane = np.bitwise_or.reduce(parts)
            return drawn
    except OverflowError as error:
        raise item.error("segmentation: a number that is far too large") from error
    except (ValueError, TypeError) as error:
        raise item.error(f"segmentation: {error}") from error
    raise item.error(f"segmentation is {shown(found)}, expected run lengths or polygons")


def _from_runs(item: Item, found: Mapping[str, Any], size: tuple[int, int]) -> Plane:
    if found.get("size") != list(size):
        raise item.error(
            f"segmentation.size is {shown(found.get('size'))}, expected {list(size)} like the image"
        )
    counts = found.get("counts")
    if isinstance(counts, str):
        return from_columns(unpacked_counts(counts), size)
    if isinstance(counts, list) and all(type(count) is int for count in counts):
        return from_columns(counts, size)
    raise item.error(f"segmentation.counts is {shown(counts)}, expected text or whole numbers")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a polygon with {shown(value)}, expected numbers")
    return float(value)

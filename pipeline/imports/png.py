"""Indexed pictures as DAVIS 2017 has them: what ``export masks --format png`` writes, edited by other tools.

``instances/<video>.json`` says which object a value is. A picture tells of every pixel: what has the value of
an object is its, 255 is unknown, all else is not the object. Values that no object of the frame has are
counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.datasets.coco_item import Item
from spotlabel.pipeline.datasets.coco_json import json_items, read_json
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.imports.indexed import read_indexed
from spotlabel.pipeline.imports.shapes import Picture, Shape

UNKNOWN = 255


def read_png_masks(folder: Path) -> Iterator[Picture]:
    """Pictures of an export's folder, video by video, one in memory at a time.

    A frame without a picture is left out.

    Args:
        folder: the export, with ``Annotations`` and ``instances``.

    Raises:
        DatasetError: names the file and what is wrong in it.
    """
    listed = sorted(folder.glob("instances/*.json"))
    if not listed:
        raise DatasetError.at(
            folder,
            "",
            "has no instances/<video>.json",
            "name the folder of `spotlabel export masks --format png`",
        )
    for path in listed:
        yield from _video(folder / "Annotations" / path.stem, path)


def _video(pictures: Path, path: Path) -> Iterator[Picture]:
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("video"), str):
        raise DatasetError.at(path, "video", "is missing, expected a JSON object that names its video")
    objects = [_Object(item) for item in json_items(path, document, "objects")]
    for item in json_items(path, document, "frames"):
        name = Path(item.text("picture")).name
        file, index = pictures / name, _position(item, name)
        if not file.exists():
            continue
        plane = read_indexed(file)
        there = [one for one in objects if one.first <= index <= one.last]
        shapes = tuple(_shapes(plane, there))
        yield Picture(
            place=str(file), video=document["video"], number=item.whole("frame"), name=file.stem,
            size=(plane.shape[0], plane.shape[1]), shapes=shapes, unknown=plane == UNKNOWN,
            stray=int(np.isin(plane, [0, UNKNOWN, *(one.value for one in there)], invert=True).sum()),
        )  # fmt: skip


class _Object:
    """Which object a value is, and from which position to which."""

    def __init__(self, item: Item) -> None:
        self.value, self.track = item.whole("value"), item.whole("track_id")
        self.first, self.last = item.whole("first"), item.whole("last")
        self.place = item.place
        if not 0 < self.value < UNKNOWN:
            raise item.error(f"value is {self.value}, expected 1 to {UNKNOWN - 1}")


def _position(item: Item, name: str) -> int:
    stem = Path(name).stem
    if not stem.isdecimal() or len(stem) > 12:
        raise item.error(f"picture is {name[:40]!r}, expected a position like 00012.png")
    return int(stem)


def _shapes(plane: Plane, objects: list[_Object]) -> Iterator[Shape]:
    """Objects that may be in a picture; one without a track is the next of those in the frame."""
    untracked = 0
    for one in objects:
        row = None
        if one.track < 0:
            row, untracked = untracked, untracked + 1
        drawn = plane == one.value
        if drawn.any():
            yield Shape(one.place, None, one.track, None, partial(_as_mask, drawn), untracked=row)


def _as_mask(drawn: np.ndarray[Any, np.dtype[np.bool_]]) -> Plane:
    return drawn.astype(np.uint8)

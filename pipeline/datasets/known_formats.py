"""Boxes files of well-known formats that are of no use beside a video: named as such, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spotlabel.pipeline.datasets.text import decimal, read_text
from spotlabel.pipeline.errors import DatasetError

_HEAD = 1 << 16
_KITTI_TYPES = frozenset(
    ["Car", "Van", "Truck", "Pedestrian", "Person", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare"]
)  # fmt: skip
_KITTI_COLUMNS = 15
_KITTI = "export MOT rows, CSV or COCO JSON"
_JSON_KEYS = (
    ({"shapes", "imagePath"}, "LabelMe JSON of one image", "export COCO JSON"),
    ({"_via_settings"}, "a project of VIA", "export COCO JSON"),
    ({"_via_img_metadata"}, "a project of VIA", "export COCO JSON"),
    ({"frames", "labels"}, "BDD100K or Scalabel JSON", "export COCO JSON"),
    ({"name", "labels"}, "BDD100K or Scalabel JSON", "export COCO JSON"),
    ({"annotation_token"}, "a table of nuScenes", "export COCO JSON of the camera's boxes in its image"),
    ({"sample_token"}, "a table of nuScenes", "export COCO JSON of the camera's boxes in its image"),
    ({"data", "annotations"}, "tasks of Label Studio", "export COCO JSON"),
)


def refuse_known(path: Path) -> None:
    """Refuse a text or JSON file of a known format that is not read beside a video.

    Raises:
        DatasetError: it is one; names the format, and what to use or export instead.
    """
    found = _json(path) if path.suffix.lower() == ".json" else _text(path)
    if found is not None:
        raise DatasetError.at(path, "", f"is {found[0]}, which is not read beside a video", found[1])


def _json(path: Path) -> tuple[str, str] | None:
    """Format of a JSON file; None for COCO, and for what cannot be parsed."""
    try:
        text = read_text(path)
        if '"images"' in text:  # COCO, which may be large: once parsed is enough
            return None
        document: Any = json.loads(text)
    except (DatasetError, ValueError, RecursionError):
        return None
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict):
        return None
    return next(((name, advice) for keys, name, advice in _JSON_KEYS if keys <= first.keys()), None)


def _text(path: Path) -> tuple[str, str] | None:
    """Format of a text file, going by its first line that is not blank."""
    try:
        lines = (line.split() for line in read_text(path, _HEAD).split("\n"))
        cells = next((line for line in lines if line), [])
    except DatasetError:
        return None
    if len(cells) >= _KITTI_COLUMNS and cells[0] in _KITTI_TYPES:
        return "KITTI labels of one image", _KITTI
    if len(cells) >= _KITTI_COLUMNS + 2 and cells[2] in _KITTI_TYPES:
        return "KITTI tracking labels", _KITTI
    if len(cells) == 5 and _are_shares(cells):
        return "YOLO labels of one image", "use reader yolo with the images, or export MOT rows"
    return None


def _are_shares(cells: list[str]) -> bool:
    try:
        return cells[0].isdigit() and all(0 <= decimal(cell) <= 1 for cell in cells[1:])
    except ValueError:
        return False

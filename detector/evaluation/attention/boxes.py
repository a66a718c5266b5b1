"""Attention maps cut to the boxes that were found with them.

SpotNet's comparison with background subtraction takes as foreground what the cut attention and the detected
boxes share (Perreault et al., CRV 2020, section IV-D and table III). Which boxes, the released script says:
those with a score above 0.15 that cover no more than half of the picture. (It squares their width where it
means their area.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.detector.evaluation.matching import Bool
from spotlabel.detector.evaluation.records import Float64
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.datasets.coco_json import read_json
from spotlabel.pipeline.errors import DatasetError

BOXES_NAME = "boxes.json"
"""The boxes of a sequence, beside its maps."""
SCORE = 0.15
"""Boxes count whose score is higher."""
SHARE = 0.5
"""Boxes count whose part inside the picture is no larger than this share of it."""


def inside_boxes(size: tuple[int, int], boxes: Float64) -> Bool:
    """Pixels whose middle lies in one of the boxes that count.

    Args:
        size: height and width of the picture.
        boxes: (N, 5), x0, y0, x1, y1 in pixel edges, score; they may reach off the picture.

    Returns:
        bool (H, W).
    """
    height, width = size
    inside = np.zeros(size, np.bool_)
    chosen = boxes[boxes[:, 4] > SCORE, :4]
    clipped = np.clip(chosen, 0, [width, height, width, height])
    areas = np.maximum(clipped[:, 2:] - clipped[:, :2], 0).prod(axis=1)
    for x0, y0, x1, y1 in np.ceil(clipped[areas <= SHARE * height * width] - 0.5).astype(int).tolist():
        inside[y0:y1, x0:x1] = True
    return inside


def write_boxes(folder: Path, boxes: Mapping[int, Float64]) -> Path:
    """Write the boxes of a sequence that count by their score; the file appears whole or not at all.

    Args:
        folder: of the sequence's maps.
        boxes: of every frame by its number, (N, 5) as in :func:`inside_boxes`.

    Returns:
        The file.
    """
    lines = [
        f'"{number}": {json.dumps([_row(row) for row in rows if row[4] > SCORE], allow_nan=False)}'
        for number, rows in sorted(boxes.items())
    ]
    path = folder / BOXES_NAME
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    return path


def read_boxes(path: Path) -> dict[int, Float64]:
    """What :func:`write_boxes` wrote, by frame number.

    Raises:
        DatasetError: the file cannot be read, or is not in this form.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise DatasetError.at(path, "", "expected frame numbers, each with a list of boxes")
    found: dict[int, npt.NDArray[np.float64]] = {}
    for name, rows in document.items():
        if not name.isdecimal():
            raise DatasetError.at(path, name, "expected the number of a frame")
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise DatasetError.at(path, name, "expected a list of [x0, y0, x1, y1, score], finite numbers")
        found[int(name)] = np.array(rows, np.float64).reshape(-1, 5)
    return found


def _row(row: Float64) -> list[float]:
    """Sides to 0.01 px, the score with the digits of single precision."""
    return [*(round(float(side), 2) for side in row[:4]), float(str(np.float32(row[4])))]


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 5 and all(map(_is_finite, row))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

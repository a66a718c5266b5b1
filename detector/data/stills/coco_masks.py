"""Outlines of COCO's objects as masks, through pycocotools' run lengths."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotlabel.detector.data.stills.picture import FOREGROUND, UNKNOWN, UInt8
from spotlabel.pipeline.datasets.build import MAX_COORDINATE
from spotlabel.pipeline.errors import DatasetError

Runs = dict[str, Any]
"""``size`` (height, width) and ``counts``, run lengths down the columns in pycocotools' own text."""

TRIANGLE = 6
"""Coordinates of the smallest polygon that encloses something."""


@dataclass(frozen=True)
class CocoMask:
    """A mask as run lengths: a few hundred bytes a picture.

    Attributes:
        foreground: counts of the objects' pixels; empty for none.
        unknown: counts of pixels that may be foreground: crowds, and boxes of objects without an outline.
    """

    foreground: bytes
    unknown: bytes

    def read(self, size: tuple[int, int]) -> UInt8:
        """The mask: uint8 (H, W), 0 background, 1 foreground, 255 unknown; foreground wins."""
        mask = np.zeros(size, np.uint8)
        for counts, value in ((self.unknown, UNKNOWN), (self.foreground, FOREGROUND)):
            if counts:
                drawn = runs_library().decode({"size": list(size), "counts": counts})
                mask[drawn != 0] = value
        return mask


def runs_of(segmentation: object, size: tuple[int, int]) -> list[Runs]:
    """An object's outline as run lengths; their union is the object.

    Args:
        segmentation: as in the annotation: polygons ``[x, y, x, y, ...]``, or run lengths, as numbers or in
            pycocotools' text. Polygons of fewer than three points enclose nothing.
        size: height and width of the picture.

    Returns:
        Empty where there is no outline.

    Raises:
        ValueError: it is something else; says what was expected.
    """
    if isinstance(segmentation, dict):
        return [_from_counts(segmentation, size)]
    polygons = [] if segmentation is None else segmentation
    if not isinstance(polygons, list) or not all(map(_is_polygon, polygons)):
        raise ValueError("expected polygons [[x, y, x, y, ...], ...] or run lengths {size, counts}")
    enclosing = [polygon for polygon in polygons if len(polygon) >= TRIANGLE]
    found: list[Runs] = runs_library().frPyObjects(enclosing, *size) if enclosing else []
    return found


def runs_of_box(xywh: Sequence[float], size: tuple[int, int]) -> list[Runs]:
    """The pixels of a box x, y, width, height, as run lengths."""
    x0, y0, width, height = xywh
    x1, y1 = x0 + width, y0 + height
    found: list[Runs] = runs_library().frPyObjects([[x0, y0, x1, y0, x1, y1, x0, y1]], *size)
    return found


def union(runs: list[Runs]) -> bytes:
    """Counts of the union; empty for none."""
    counts: bytes = runs_library().merge(runs, intersect=False)["counts"] if runs else b""
    return counts


def runs_library() -> Any:
    """The masks of pycocotools.

    Raises:
        DatasetError: pycocotools is not installed.
    """
    try:
        return importlib.import_module("pycocotools.mask")
    except ImportError as error:
        problem = f"COCO's outlines need pycocotools, which cannot be imported: {error}"
        raise DatasetError(f"{problem} (pip install spotlabel[train])") from error


def _is_polygon(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) % 2 == 0
        # NaN is not below anything.
        and all(isinstance(v, int | float) and abs(v) <= MAX_COORDINATE for v in value)
    )


def _from_counts(segmentation: Runs, size: tuple[int, int]) -> Runs:
    """Checked run lengths: of others, pycocotools fills in whatever lies in memory."""
    counts = segmentation.get("counts")
    if segmentation.get("size") != list(size):
        raise ValueError(f"size is {segmentation.get('size')!r}, expected [{size[0]}, {size[1]}]")
    lengths = _spelled_out(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or not all(isinstance(n, int) and n >= 0 for n in lengths):
        raise ValueError("counts: expected whole numbers, 0 or more, or pycocotools' text")
    if sum(lengths) != size[0] * size[1]:
        raise ValueError(f"counts: run lengths of {sum(lengths)} pixels, expected {size[0] * size[1]}")
    found: Runs = runs_library().frPyObjects({"size": list(size), "counts": lengths}, *size)
    return found


def _spelled_out(text: str) -> list[int]:
    """Run lengths of pycocotools' text.

    A letter holds five bits, the lowest first; from the fourth number on, it is the difference to the number
    before the last that is written.
    """
    numbers: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"counts: {text[:20]!r} is not pycocotools' text")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
            value, shift = 0, 0
    return numbers

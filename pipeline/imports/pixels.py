"""Pixels from run lengths and polygons of files that anyone may have written."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.errors import SpotlabelError

FAR = 4
"""How many image sides off the image a polygon's corner may lie: its outline is gone along pixel by pixel."""


def from_counts(counts: Sequence[int] | npt.NDArray[np.int64], size: tuple[int, int]) -> Plane:
    """Run lengths by rows, the first of pixels that are not set: uint8 ``size``, 0 or 1.

    Raises:
        ValueError: they are not as many as pixels.
    """
    lengths = np.asarray(counts, np.int64)
    if (lengths < 0).any() or (lengths > size[0] * size[1]).any() or lengths.sum() != size[0] * size[1]:
        raise ValueError(f"run lengths do not add up to {size[1]} x {size[0]} pixels")
    values = np.arange(len(lengths), dtype=np.uint8) & 1
    return np.repeat(values, lengths).reshape(size)


def from_columns(counts: Sequence[int] | npt.NDArray[np.int64], size: tuple[int, int]) -> Plane:
    """As :func:`from_counts`, by columns as COCO has them."""
    return np.ascontiguousarray(from_counts(counts, (size[1], size[0])).T)


def unpacked_counts(text: str) -> list[int]:
    """COCO's run lengths from their text: five bits a character, from the third on as a difference.

    pycocotools reads the same, but believes every length.

    Raises:
        ValueError: a character that does not occur in such texts, or a length without an end.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for sign in text:
        code = ord(sign) - 48
        if not 0 <= code < 64 or shift > 30:
            raise ValueError("counts is no text of run lengths")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value, shift = 0, 0
    if shift:
        raise ValueError("counts ends within a run length")
    return counts


def from_polygon(points: Sequence[float], size: tuple[int, int]) -> Plane:
    """Pixels of a polygon as pycocotools draws them.

    Args:
        points: x and y in turn, pixel edges.
        size: height and width of the image.

    Returns:
        uint8 (H, W), 0 or 1.

    Raises:
        ValueError: fewer than three corners, or one that is no place near the image.
    """
    corners = np.asarray(points, np.float64)
    if len(corners) < 6 or len(corners) % 2:
        raise ValueError(f"a polygon of {len(corners)} numbers, expected x and y of three or more corners")
    places = corners.reshape(-1, 2)
    limit = np.array([size[1], size[0]])
    if not (
        np.isfinite(places).all() and (places >= -FAR * limit).all() and (places <= (FAR + 1) * limit).all()
    ):
        raise ValueError("a polygon with a corner far off the image")
    coco = _pycocotools()
    found = coco.decode(coco.frPyObjects([corners.tolist()], *size))
    return np.ascontiguousarray(found.any(axis=2)).astype(np.uint8)


@cache
def _pycocotools() -> Any:
    try:
        return importlib.import_module("pycocotools.mask")
    except ModuleNotFoundError as error:
        raise SpotlabelError(
            "polygons need pycocotools, which is not installed (pip install spotlabel[export])"
        ) from error

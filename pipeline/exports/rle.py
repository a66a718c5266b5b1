"""Masks as run lengths: COCO's (by columns, packed into text) and CVAT's (by rows, plain numbers)."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.frame import Piece


def coco_rle(piece: Piece, size: tuple[int, int]) -> dict[str, Any]:
    """Run lengths as COCO's: ``{"size": [H, W], "counts": text}``.

    Equal to what ``pycocotools.mask.encode`` makes of the whole image, without going through all its pixels.

    Args:
        piece: some pixels.
        size: height and width of the image.
    """
    height, width = size
    runs = column_runs(piece, height)
    counts = np.diff(runs.ravel(), prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    packed = _pycocotools().frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return {"size": [height, width], "counts": packed["counts"].decode("ascii")}


def column_runs(piece: Piece, height: int) -> npt.NDArray[np.int64]:
    """Runs of set pixels in an image that is read column by column.

    Args:
        piece: some pixels.
        height: of the image.

    Returns:
        int64 (R, 2): first pixel, and the one after the last; rising, none touches the next.
    """
    rows, columns = piece.mask.shape
    padded = np.zeros(columns * (rows + 1) + 1, np.uint8)
    padded[1:].reshape(columns, rows + 1)[:, :rows] = piece.mask.T  # a 0 between columns ends every run
    steps = np.flatnonzero(padded[1:] != padded[:-1])  # where runs begin and end, in turn
    column, row = np.divmod(steps, rows + 1)
    runs: npt.NDArray[np.int64] = ((column + piece.x) * height + row + piece.y).reshape(-1, 2)
    if rows < height:
        return runs
    apart = runs[1:, 0] != runs[:-1, 1]  # runs through the whole height go on in the next column
    ends = np.ones(1, np.bool_)
    return np.stack([runs[np.append(ends, apart), 0], runs[np.append(apart, ends), 1]], axis=1)


def cvat_rle(piece: Piece) -> list[int]:
    """Run lengths as CVAT's: of the piece alone, row by row, the first of pixels that are not set."""
    flat = piece.mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *counts] if flat[0] else counts


@cache
def _pycocotools() -> Any:
    try:
        return importlib.import_module("pycocotools.mask")
    except ModuleNotFoundError as error:
        raise ExportError(
            "COCO's run lengths need pycocotools, which is not installed (pip install spotlabel[export])"
        ) from error

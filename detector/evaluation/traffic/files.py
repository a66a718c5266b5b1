"""Detections files of UA-DETRAC and UAVDT: reading, writing clean ones, and ones like SpotNet's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np

from spotlabel.detector.evaluation.records import Detections, Float64, Int64, check_columns
from spotlabel.detector.evaluation.tables import read_table, whole
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.boxes import clip_boxes


@dataclass(frozen=True)
class Layout:
    """Columns of a benchmark's detections files.

    Attributes:
        columns: columns of a row.
        row: text of a row from frame, index in the frame, ``left,top,width,height`` and score.
        origin: coordinate of the left and top image edge.
    """

    columns: int
    row: Callable[[int, int, str, str], str]
    origin: float


Benchmark = Literal["ua-detrac", "uavdt"]

LAYOUTS: dict[Benchmark, Layout] = {
    "ua-detrac": Layout(7, lambda frame, index, box, score: f"{frame},{index},{box},{score}\n", 0.5),
    "uavdt": Layout(9, lambda frame, index, box, score: f"{frame},-1,{box},{score},1,-1\n", 0.0),
}
"""Both start with frame, index (or -1), left, top, width, height, score."""


class Compat(StrEnum):
    """How to write."""

    CLEAN = "clean"
    """Surest first, clipped to the image, in the benchmark's coordinates, w = x1 - x0."""
    SPOTNET = "spotnet"
    """As the published files: truncated to integers, w = x1 - x0 + 1, rows of a frame sorted as text."""


def read_detections(path: Path, benchmark: Benchmark) -> Detections:
    """Read a detections file.

    Args:
        path: the file of one sequence; an empty one holds no detections.
        benchmark: ``ua-detrac`` (7 columns) or ``uavdt`` (9 columns).

    Returns:
        Detections in the file's own coordinates and order.

    Raises:
        DatasetError: a line has the wrong number of columns, NaN or text in it, or no proper frame number.
    """
    table = read_table(path, LAYOUTS[benchmark].columns)
    return Detections(whole(path, table, 0, "frame", 1), table[:, 2:6].copy(), table[:, 6].copy())


def write_detections(
    path: Path,
    benchmark: Benchmark,
    frame: Int64,
    xyxy: Float64,
    score: Float64,
    *,
    image: tuple[int, int],
    compat: Compat = Compat.CLEAN,
) -> int:
    """Write the detections of one sequence; the file appears whole or not at all.

    Args:
        path: file to write or replace.
        benchmark: ``ua-detrac`` or ``uavdt``.
        frame: int64 (D,), frame numbers from 1.
        xyxy: float64 (D, 4), x0, y0, x1, y1 in pixel edges, 0-based.
        score: float64 (D,) in [0, 1]; written with the digits of single precision.
        image: height and width; clean boxes are clipped to it and those left without area are dropped.
        compat: see :class:`Compat`. To repeat the published files, leave out frames without ground truth.

    Returns:
        Number of rows.

    Raises:
        ValueError: shapes disagree, or a box or score is not finite.
    """
    check_columns("detections", frame, boxes=xyxy, score=score)
    if not (np.isfinite(xyxy).all() and np.isfinite(score).all()):
        raise ValueError("detections hold NaN or infinity")
    layout = LAYOUTS[benchmark]
    rows = _spotnet_rows if compat is Compat.SPOTNET else _clean_rows
    lines = [
        layout.row(number, i, *line)
        for number, of_frame in rows(frame, xyxy, score.astype(np.float32), image, layout.origin)
        for i, line in enumerate(of_frame, 1)
    ]
    write_atomically(path, "".join(lines).encode("ascii"))
    return len(lines)


Rows = Iterator[tuple[int, list[tuple[str, str]]]]


def _clean_rows(
    frame: Int64, xyxy: Float64, score: np.typing.NDArray[np.float32], image: tuple[int, int], origin: float
) -> Rows:
    clipped = clip_boxes(xyxy, image)
    sizes = clipped[:, 2:] - clipped[:, :2]
    boxes = np.concatenate([clipped[:, :2] + origin, sizes], axis=1)
    order = np.lexsort((-score, frame))
    # Sizes that would be written as 0.00 are no boxes to a reader of the file.
    order = order[(sizes[order, 0] >= 0.005) & (sizes[order, 1] >= 0.005)]
    for number, rows in _by_frame(frame, order):
        yield number, [(",".join(f"{v:.2f}" for v in boxes[i].tolist()), str(score[i])) for i in rows]


def _spotnet_rows(
    frame: Int64, xyxy: Float64, score: np.typing.NDArray[np.float32], image: tuple[int, int], origin: float
) -> Rows:
    corners = np.trunc(xyxy).astype(np.int64).tolist()
    for number, rows in _by_frame(frame, np.argsort(frame, kind="stable")):
        # The published rows come from a list of text lines "x0,y0,x1,y1,object,score" that was sorted.
        lines = sorted((f"{','.join(map(str, corners[i]))},object,{score[i]}", i) for i in rows)
        yield number, [(_inclusive(corners[i]), str(score[i])) for _, i in lines]


def _inclusive(corner: list[int]) -> str:
    x0, y0, x1, y1 = corner
    return f"{x0},{y0},{x1 - x0 + 1},{y1 - y0 + 1}"


def _by_frame(frame: Int64, order: Int64) -> Iterator[tuple[int, list[int]]]:
    numbers, starts = np.unique(frame[order], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
        yield number, rows.tolist()

"""Tables of figures as Markdown: a row for each sequence, a column for each kind of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from statistics import fmean
from typing import Literal

from benchmarks.quality.measured import Measured
from spotlabel.pipeline.measures.quality import Quality

Figures = tuple[float, float, float]
Columns = Mapping[str, list[Measured]]


def figures(quality: Quality, figure: Literal["F", "IoU"]) -> Figures:
    """Pooled F or mean IoU, unknown counted as background; the same, unknown left out; boundary F."""
    if figure == "F":
        return quality.counts.f_measure, quality.known.f_measure, quality.boundary_f
    return quality.mean_iou, quality.known_iou, quality.boundary_f


def table(columns: Columns, figure: Literal["F", "IoU"]) -> str:
    """Markdown; behind the sequences of each split a row with their means.

    Args:
        columns: figures by title of the column, all of the same sequences in the same order.
        figure: what the first two figures are.
    """
    if not columns:
        return "(nothing measured)"
    lines = [_line(["", *columns]), _line(["---"] * (len(columns) + 1))]
    first = next(iter(columns.values()))
    for split, group in groupby(range(len(first)), lambda row: first[row].split):
        rows = list(group)
        cells = [[figures(column[row].quality, figure) for column in columns.values()] for row in rows]
        lines += [_line([first[row].row, *map(_cell, own)]) for row, own in zip(rows, cells, strict=True)]
        means = [_mean(column) for column in zip(*cells, strict=True)]
        lines.append(_line([f"**mean, {split.value}**", *map(_cell, means)]))
    return "\n".join(lines)


def _mean(column: tuple[Figures, ...]) -> Figures:
    one, two, three = (fmean(values) for values in zip(*column, strict=True))
    return one, two, three


def _cell(values: Figures) -> str:
    return " / ".join(map(_short, values))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(value: float) -> str:
    """Four decimals without the leading zero."""
    return f"{value:.4f}".removeprefix("0")

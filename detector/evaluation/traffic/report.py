"""An evaluation as a table, as JSON, as Markdown beside the paper's figures, and as a plot of its curves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spotlabel.detector.evaluation.average_precision import Evaluation
from spotlabel.detector.evaluation.output import markdown_table, new_figure, png, write_files
from spotlabel.detector.evaluation.published import published
from spotlabel.detector.evaluation.traffic.benchmarks import Result

COLUMNS = ("AP", "AP 11-point", "objects", "found", "detections", "in regions", "outside")
"""Columns of :func:`rows` after the name."""


def rows(result: Result) -> Iterator[tuple[str, str, Evaluation]]:
    """Kind (overall, subset, objects, sequence), name and curve, in the order in which they are shown."""
    yield "overall", "overall", result.overall
    groups = (("subset", result.subsets), ("objects", result.objects), ("sequence", result.sequences))
    for kind, curves in groups:
        for name, curve in curves.items():
            yield kind, name, curve


def cells(curve: Evaluation) -> tuple[str, ...]:
    """Text of the columns :data:`COLUMNS`; AP in percent, a dash where there are no objects."""
    figures = (curve.ap, curve.ap11)
    shown = ["-" if math.isnan(value) else f"{100 * value:.2f}" for value in figures]
    counts = (curve.objects, curve.hits, len(curve.score), curve.in_regions, curve.outside)
    return (*shown, *map(str, counts))


def as_data(result: Result) -> dict[str, Any]:
    """The figures as plain data; AP in percent, null where there are no objects."""
    data: dict[str, Any] = {
        "benchmark": result.benchmark,
        "iou": result.iou,
        "missing": list(result.missing),
        "published": published(result.benchmark),
    }
    for kind, name, curve in rows(result):
        if kind == "overall":
            data[kind] = _figures(curve)
        else:
            data.setdefault(kind, {})[name] = _figures(curve)
    return data


def _figures(curve: Evaluation) -> dict[str, Any]:
    def percent(value: float) -> float | None:
        return None if math.isnan(value) else round(100 * value, 4)

    return {
        "ap": percent(curve.ap),
        "ap11": percent(curve.ap11),
        "objects": curve.objects,
        "found": curve.hits,
        "detections": len(curve.score),
        "in_regions": curve.in_regions,
        "outside": curve.outside,
    }


def write_report(result: Result, folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``curves.png``.

    Raises:
        EvaluationError: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    return write_files(folder, as_data(result), markdown(result), plot_curves(result))


def markdown(result: Result) -> str:
    """The figures, then the paper's table with ours as its last row."""
    name = {"ua-detrac": "UA-DETRAC", "uavdt": "UAVDT"}[result.benchmark]
    lines = [f"# {name}: average precision at IoU {result.iou:g}", ""]
    figures = [(kind, name, *cells(curve)) for kind, name, curve in rows(result)]
    lines += markdown_table(("", "", *COLUMNS), figures)
    lines += ["", f"## Beside the SpotNet paper ({name}, AP in percent, IoU 0.7)", ""]
    lines += caveats(result) + ([""] if caveats(result) else [])
    ours = {"overall": result.overall, **result.subsets}
    methods = published(result.benchmark)
    columns = list(next(iter(methods.values())))
    table = [(method, *(f"{row[c]:.2f}" for c in columns)) for method, row in methods.items()]
    table.append(("**here**", *(cells(ours[c])[0] if c in ours else "" for c in columns)))
    lines += markdown_table(("method", *columns), table)
    return "\n".join([*lines, "", "![Precision over recall](curves.png)", ""])


def caveats(result: Result) -> list[str]:
    """Why the figures are not the benchmark's, one sentence each; empty if they are."""
    found = []
    if result.missing:
        count = len(result.missing)
        found.append(f"{count} test sequences have no detections here: not comparable to published figures.")
    if result.iou != 0.7:
        found.append("The benchmark's IoU threshold is 0.7.")
    return found


def plot_curves(result: Result) -> bytes:
    """Precision over recall, pooled curves in one picture (PNG).

    Raises:
        EvaluationError: matplotlib is not installed.
    """
    figure = new_figure()
    axes = figure.subplots()
    for kind, name, curve in rows(result):
        if kind == "sequence" or not curve.objects:
            continue
        style = {"overall": "-", "subset": "--", "objects": ":"}[kind]
        width = 2.4 if kind == "overall" else 1.4
        axes.plot(curve.recall, curve.precision, style, linewidth=width, label=f"{name} {100 * curve.ap:.2f}")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.set_title(f"{result.benchmark}, IoU {result.iou:g}: AP in percent")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    return png(figure)

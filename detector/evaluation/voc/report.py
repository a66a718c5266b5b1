"""VOC's figures as a table, as JSON, as Markdown and as a plot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.detector.evaluation.average_precision import Evaluation
from spotlabel.detector.evaluation.output import markdown_table, new_figure, png, write_files
from spotlabel.detector.evaluation.voc.files import read_voc_results, read_voc_truth
from spotlabel.detector.evaluation.voc.metrics import IOU, VocFigures, voc_figures
from spotlabel.detector.evaluation.voc.published import ALS_CLASSES, MEANS

COLUMNS = ("AP07", "AP", "found", "objects", "detections", "uncounted")
"""Both figures in percent, objects found, objects, detections, and detections that do not count."""


@dataclass(frozen=True)
class VocResult:
    """One run.

    Attributes:
        split: the list of pictures.
        pictures: number of pictures.
        iou: smallest overlap of a match.
        figures: what was measured.
    """

    split: str
    pictures: int
    iou: float
    figures: VocFigures


def run_voc(truth: Path, split: str, detections: Path, iou: float = IOU) -> VocResult:
    """VOC's figures of a folder of result files.

    Args:
        truth: folder of a year, ``VOCdevkit/VOC2007``.
        split: name of the list in ``ImageSets/Main``.
        detections: folder of ``comp4_det_<split>_<class>.txt``.
        iou: smallest overlap of a match.

    Raises:
        DatasetError: a file that cannot be used.
        EvaluationError: no object that counts.
    """
    objects = read_voc_truth(truth, split)
    figures = voc_figures(objects, read_voc_results(detections, split, objects), iou)
    return VocResult(split, len(objects.pictures), iou, figures)


def as_data(result: VocResult) -> dict[str, Any]:
    """The figures as plain data; percent, null for a class whose objects are all difficult."""
    return {
        "benchmark": "voc",
        "split": result.split,
        "iou": result.iou,
        "pictures": result.pictures,
        "mean": {"AP07": _percent(result.figures.ap07), "AP": _percent(result.figures.area)},
        "classes": {name: _class_data(evaluation) for name, evaluation in result.figures.classes.items()},
    }


def _class_data(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "AP07": _percent(evaluation.ap11),
        "AP": _percent(evaluation.ap),
        "found": evaluation.hits,
        "objects": evaluation.objects,
        "detections": len(evaluation.score),
        "uncounted": evaluation.uncounted,
    }


def _percent(value: float) -> float | None:
    return None if math.isnan(value) else round(100 * value, 4)


def rows(result: VocResult) -> list[tuple[str, ...]]:
    """Name and :data:`COLUMNS` of every class and, last, of their mean."""
    data = as_data(result)
    classes = [(name, *(_cell(row[column]) for column in COLUMNS)) for name, row in data["classes"].items()]
    totals = [str(sum(row[column] for row in data["classes"].values())) for column in COLUMNS[2:]]
    return [*classes, ("mean", *(_cell(data["mean"][column]) for column in COLUMNS[:2]), *totals)]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def write_report(result: VocResult, folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``curves.png``.

    Raises:
        EvaluationError: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    return write_files(folder, as_data(result), markdown(result), plot_curves(result))


def markdown(result: VocResult) -> str:
    """The figures as Markdown, beside what was published for VOC 2007 test."""
    known = {**ALS_CLASSES, "mean": MEANS["ALS"]}
    head = ("class", *COLUMNS, "ALS, AP07")
    body = [(*row, _cell(known.get(row[0]))) for row in rows(result)]
    lines = [f"# VOC, split {result.split}: figures in percent at IoU {result.iou:g}", ""]
    lines += [f"{result.pictures} pictures. AP07: mean of 11 points (VOC 2007); AP: area (from 2010 on).", ""]
    lines += markdown_table(head, body)
    lines += ["", "Published means of AP07 on VOC 2007 test (other splits and years do not compare):", ""]
    published = sorted(MEANS.items(), key=lambda item: -item[1])
    own = ("**this run**", f"**{_cell(_percent(result.figures.ap07))}**")
    lines += markdown_table(("method", "AP07"), [own, *((name, f"{mean:.1f}") for name, mean in published)])
    return "\n".join([*lines, "", "![Precision over recall](curves.png)", ""])


def plot_curves(result: VocResult) -> bytes:
    """Precision over recall, one line a class (PNG).

    Raises:
        EvaluationError: matplotlib is not installed.
    """
    figure = new_figure()
    axes = figure.subplots()
    for k, (name, curve) in enumerate(result.figures.classes.items()):
        if curve.objects:
            label = f"{name} {100 * curve.ap11:.1f}"
            axes.plot(curve.recall, curve.precision, ("-", "--")[k // 10 % 2], linewidth=1.4, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.set_title(f"VOC {result.split}, IoU {result.iou:g}: AP07 in percent")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    return png(figure)

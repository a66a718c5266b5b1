"""COCO's figures as a table, as JSON, as Markdown and as a plot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotlabel.detector.evaluation.coco.files import read_coco_annotations, read_coco_results
from spotlabel.detector.evaluation.coco.metrics import IOUS, SUMMARY, CocoFigures, coco_figures
from spotlabel.detector.evaluation.output import markdown_table, new_figure, png, write_files

MEANING = {
    "AP": "mean over IoU 0.50 to 0.95",
    "AP50": "IoU 0.50",
    "AP75": "IoU 0.75",
    "APs": "objects below 32x32 pixels",
    "APm": "between",
    "APl": "from 96x96 pixels",
    "AR1": "recall, 1 detection an image",
    "AR10": "recall, 10 detections an image",
    "AR100": "recall, 100 detections an image",
    "ARs": "recall, small objects",
    "ARm": "recall, medium objects",
    "ARl": "recall, large objects",
}


@dataclass(frozen=True)
class CocoResult:
    """One run.

    Attributes:
        class_agnostic: all categories were taken for one.
        images: number of images.
        detections: number of detections in the results file.
        figures: what was measured.
    """

    class_agnostic: bool
    images: int
    detections: int
    figures: CocoFigures


def run_coco(truth: Path, results: Path, class_agnostic: bool = False) -> CocoResult:
    """COCO's figures of a results file.

    Args:
        truth: annotations file with images, annotations and categories.
        results: list of image_id, category_id, bbox and score.
        class_agnostic: take all categories for one.

    Raises:
        DatasetError: a file that cannot be used.
        EvaluationError: no objects, or no pycocotools.
    """
    annotations = read_coco_annotations(truth)
    detections = read_coco_results(results, annotations, class_agnostic)
    figures = coco_figures(annotations.truth, detections, class_agnostic)
    return CocoResult(class_agnostic, annotations.truth.images, len(detections), figures)


def as_data(result: CocoResult) -> dict[str, Any]:
    """The figures as plain data; percent, null where there is nothing to measure."""
    return {
        "benchmark": "coco",
        "class_agnostic": result.class_agnostic,
        "images": result.images,
        "objects": sum(figures.objects for figures in result.figures.categories.values()),
        "detections": result.detections,
        "figures": {name: percent(value) for name, value in result.figures.summary.items()},
        "categories": {
            name: {"AP": percent(figures.ap), "AP50": percent(figures.ap50), "objects": figures.objects}
            for name, figures in result.figures.categories.items()
        },
    }


def percent(value: float) -> float | None:
    """A figure in percent, None where there is nothing to measure (below 0)."""
    return None if value < 0 else round(100 * value, 4)


def cell(value: float | None) -> str:
    """A figure as tables show it: two decimals, a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


def rows(result: CocoResult) -> list[tuple[str, str, str]]:
    """Name, figure in percent and meaning of COCO's twelve."""
    figures = as_data(result)["figures"]
    return [(name, cell(figures[name]), MEANING[name]) for name in SUMMARY]


def category_rows(result: CocoResult) -> list[tuple[str, str, str, str]]:
    """Name, AP, AP50 and number of objects of every category."""
    categories = as_data(result)["categories"].items()
    return [(name, cell(row["AP"]), cell(row["AP50"]), str(row["objects"])) for name, row in categories]


def write_report(result: CocoResult, folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``curves.png``.

    Raises:
        EvaluationError: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    return write_files(folder, as_data(result), markdown(result), plot_curves(result.figures))


def markdown(result: CocoResult) -> str:
    """The figures, then a row for each category."""
    kind = "all categories taken for one" if result.class_agnostic else "mean over categories"
    lines = [f"# COCO: box figures in percent, {kind}", ""]
    lines += [f"{result.images} images, {result.detections} detections.", ""]
    lines += markdown_table(("", "%", "meaning"), rows(result))
    lines += ["", *markdown_table(("category", "AP", "AP50", "objects"), category_rows(result))]
    return "\n".join([*lines, "", "![Precision over recall](curves.png)", ""])


def plot_curves(figures: CocoFigures) -> bytes:
    """Precision over recall at every second IoU threshold and on the mean (PNG).

    Raises:
        EvaluationError: matplotlib is not installed.
    """
    figure = new_figure()
    axes = figure.subplots()
    recall, precision = np.linspace(0, 1, 101), figures.precision
    for k in range(0, len(IOUS), 2):
        axes.plot(recall, precision[k], "--", linewidth=1.4, label=f"IoU {IOUS[k]:.2f}")
    axes.plot(recall, precision.mean(axis=0), linewidth=2.4, label="mean over IoU 0.50 to 0.95")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.set_title("COCO precision over recall")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    return png(figure)

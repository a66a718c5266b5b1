"""Figures of detections against a dataset's boxes as tables, as JSON, as Markdown and as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spotlabel.detector.evaluation.boxes.run import MAX_DETECTIONS, BoxesResult
from spotlabel.detector.evaluation.coco import report as coco
from spotlabel.detector.evaluation.coco.metrics import IOUS, SUMMARY
from spotlabel.detector.evaluation.output import markdown_table, write_files

CLASS_COLUMNS = ("AP", "AP50", "AP70", "AP75", "objects")
SEQUENCE_COLUMNS = ("frames", "objects", "detections", "left out")
AP70 = "AP70"
_AT_70 = min(range(len(IOUS)), key=lambda k: abs(IOUS[k] - 0.7))
_ORDER = (*SUMMARY[:2], AP70, *SUMMARY[2:])
_MEANING = {**coco.MEANING, AP70: "IoU 0.70"}


def as_data(result: BoxesResult) -> dict[str, Any]:
    """The figures as plain data; AP and recall in percent, null where there is nothing to measure."""
    figures = {**result.figures.summary, AP70: float(result.figures.precision[_AT_70].mean())}
    categories = result.figures.categories.items()
    return {
        "benchmark": "boxes",
        "any_class": result.any_class,
        "figures": {name: coco.percent(figures[name]) for name in _ORDER},
        "classes": {
            name: {
                "AP": coco.percent(of.ap),
                "AP50": coco.percent(of.ap50),
                AP70: coco.percent(of.by_iou[_AT_70]),
                "AP75": coco.percent(of.by_iou[5]),
                "objects": of.objects,
            }
            for name, of in categories
        },
        "sequences": {
            name: {
                "frames": of.frames,
                "not_evaluated": of.unannotated,
                "objects": of.objects,
                "detections": of.detections,
                "left_out": of.left_out,
                "unknown_frames": of.strange,
                "outside_image": of.empty,
                "file": None if of.file is None else str(of.file),
            }
            for name, of in result.sequences.items()
        },
        "notes": notes(result),
    }


def rows(result: BoxesResult) -> list[tuple[str, str, str]]:
    """Name, figure in percent and meaning."""
    figures = as_data(result)["figures"]
    return [(name, coco.cell(figures[name]), _MEANING[name]) for name in _ORDER]


def class_rows(result: BoxesResult) -> list[tuple[str, ...]]:
    """Class and the columns :data:`CLASS_COLUMNS`."""
    classes = as_data(result)["classes"].items()
    return [
        (name, *(coco.cell(of[column]) for column in CLASS_COLUMNS[:-1]), str(of["objects"]))
        for name, of in classes
    ]


def sequence_rows(result: BoxesResult) -> list[tuple[str, ...]]:
    """Sequence and the columns :data:`SEQUENCE_COLUMNS`."""
    return [
        (name, *map(str, (of.frames, of.objects, of.detections, of.left_out + of.strange + of.empty)))
        for name, of in result.sequences.items()
    ]


def notes(result: BoxesResult) -> list[str]:
    """What to know about the figures, one line each."""
    lines = []
    if not result.named:
        lines.append("these detections name no class: all classes are taken for one")
    without = [name for name, of in result.sequences.items() if of.file is None]
    if without:
        lines.append(f"no detections of {_some(without)}: their objects count as not found")
    if result.strangers:
        names = _some([path.name for path in result.strangers])
        lines.append(f"the recipe has no such sequences, not read: {names}")
    for name, of in result.sequences.items():
        if of.strange:
            lines.append(f"{name}: {of.strange} detections in frames that it does not have, left out")
        if of.left_out:
            where = "frames that were not annotated or have no image"
            lines.append(f"{name}: {of.left_out} detections in {where}, left out")
        if of.empty:
            lines.append(f"{name}: {of.empty} detections without area in the image, left out")
    if result.classless:
        named = _some([f"{name} ({count})" for name, count in result.classless.items()])
        lines.append(f"detections of classes that no object is of, left out: {named}")
    if result.undetected:
        lines.append(f"no detections have the class {_some(list(result.undetected))}")
    if result.crowded:
        lines.append(
            f"{result.crowded} frames have more than {MAX_DETECTIONS} detections of a class; COCO's figures "
            f"look at the surest {MAX_DETECTIONS}"
        )
    return lines


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def write_report(result: BoxesResult, folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``curves.png``.

    Raises:
        EvaluationError: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    plot = coco.plot_curves(result.figures)
    return write_files(folder, as_data(result), markdown(result), plot)


def markdown(result: BoxesResult) -> str:
    """The figures, then a row for each class and each sequence."""
    kind = "all classes taken for one" if result.any_class else "mean over classes"
    lines = [f"# Detections against the recipe's boxes: percent, {kind}", ""]
    lines += [f"- {note}" for note in notes(result)]
    lines += ["", *markdown_table(("", "%", "meaning"), rows(result))]
    lines += ["", *markdown_table(("class", *CLASS_COLUMNS), class_rows(result))]
    lines += ["", *markdown_table(("sequence", *SEQUENCE_COLUMNS), sequence_rows(result))]
    return "\n".join([*lines, "", "![Precision over recall](curves.png)", ""])

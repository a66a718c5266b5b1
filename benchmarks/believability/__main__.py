"""Measure whether believability predicts the real IoU of a box's mask: ``make believability``.

    python -m benchmarks.believability DATA [--out runs/believability] [--docs docs]

DATA holds ``cdnet``, ``sbi`` and ``davis``; two rendered scenes are added. Evidence is made once and kept.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2

from benchmarks.believability.effect import effect_table
from benchmarks.believability.fit import best_threshold, fit, leave_one_out, mean_error
from benchmarks.believability.judged import Judged, Run, judge
from benchmarks.believability.plot import calibration_png
from benchmarks.believability.report import (
    MAY_LOSE,
    calibration_table,
    held_out_table,
    sequence_table,
    threshold_table,
)
from spotlabel.labelers.masks import PRESETS
from spotlabel.labelers.masks.believability import WEIGHTS
from spotlabel.pipeline.atomic import write_atomically

REAL = (
    Run("cdnet", "mog2", "farneback", 5),
    Run("cdnet", "pawcs", "farneback", 5),
    Run("cdnet", "boxbg", "farneback", 5),
    Run("sbi", "mog2", "farneback", 2),
    Run("sbi", "pawcs", "farneback", 2),
    Run("sbi", "boxbg", "farneback", 2),
    Run("davis", "farneback", "farneback"),
    Run("davis", "egoflow-cut", "egoflow-cut"),
)
RENDERED = (
    Run("synthetic", "mog2", "farneback", 2),
    Run("synthetic", "pawcs", "egoflow", 2),
    Run("synthetic", "boxbg", "egoflow-cut", 2),
)

_TEMPLATE = Path(__file__).with_name("page.md")
"""The words of the page around its tables."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/believability"), show_default=True)
@click.option("--docs", type=click.Path(exists=True, path_type=Path), default=Path("docs"), show_default=True)
def main(data: Path, out: Path, docs: Path) -> None:
    """Label, compare box by box, write the page and its plot."""
    cv2.setNumThreads(1)
    real = [judged for run in REAL for judged in judge(run, data, out)]
    rendered = [judged for run in RENDERED for judged in judge(run, data, out)]
    threshold = PRESETS["default"].min_believability
    sections = {
        "weights": ", ".join(f"{name} {weight:g}" for name, weight in WEIGHTS.items()),
        "fitted": ", ".join(f"{name} {weight:.2f}" for name, weight in fit(real).items()),
        "errors": _errors(real),
        "errors_rendered": _errors(rendered),
        "threshold": f"{threshold:g}",
        "chosen": f"{best_threshold(real, MAY_LOSE):.2f}",
        "calibration": calibration_table(real),
        "real": sequence_table(real, threshold),
        "rendered": sequence_table(rendered, threshold),
        "thresholds": threshold_table(real),
        "thresholds_rendered": threshold_table(rendered),
        "held_out": held_out_table(leave_one_out(real), real),
        "effect": effect_table(RENDERED, data, out),
    }
    picture = calibration_png({"six real sequences": real, "two rendered scenes": rendered}, threshold)
    write_atomically(docs / "believability.png", picture)
    page = _TEMPLATE.read_text("utf-8").format(**sections)
    write_atomically(docs / "believability.md", page.encode())
    click.echo(f"page: {docs / 'believability.md'}")


def _errors(groups: list[Judged]) -> str:
    """Error of the shipped weights, and of the part fill alone."""
    alone = {name: float(name == "fill") for name in WEIGHTS}
    return f"{mean_error(groups, WEIGHTS):.4f} (the part fill alone: {mean_error(groups, alone):.4f})"


if __name__ == "__main__":
    main()

"""Measure whether believability predicts the real IoU of a box's mask: ``make believability``.

    python -m benchmarks.believability DATA [--out runs/quality] [--docs docs] [--made-only]

DATA holds ``cdnet``, ``sbi``, ``davis`` and ``extra``; some scenes are rendered. Evidence is that of ``make
quality``, and is made where it is not there: students are taught, which takes hours.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2

from benchmarks.believability.fit import fit, mean_error
from benchmarks.believability.judged import Judged, judge
from benchmarks.believability.plot import calibration_png
from benchmarks.believability.report import (
    calibration_table,
    labeler_table,
    pooled_row,
    sequence_table,
    threshold_table,
)
from benchmarks.quality.tables import TABLES
from spotlabel.labelers.masks import PRESETS
from spotlabel.labelers.masks.believability import WEIGHTS
from spotlabel.pipeline.atomic import write_atomically

_MOVING = ("farneback", "egoflow-cut", "egoflow-cut-student")
_FIXED = ("mog2", "pawcs", "boxbg", "boxbg-student")
RUNS = {"moving": _MOVING, "drones": _MOVING, "fixed": _FIXED, "streets": _FIXED}
"""Labelers by the tables of ``make quality`` whose sequences they are measured on."""

_TEMPLATE = Path(__file__).with_name("page.md")
"""The words of the page around its tables."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/quality"), show_default=True)
@click.option("--docs", type=click.Path(exists=True, path_type=Path), default=Path("docs"), show_default=True)
@click.option("--made-only", is_flag=True, help="Leave out sequences whose evidence would have to be made.")
def main(data: Path, out: Path, docs: Path, made_only: bool) -> None:
    """Compare box by box, write the page and its plot."""
    cv2.setNumThreads(1)
    chosen, other = _halves(data, out, made_only)
    threshold = PRESETS["default"].min_believability
    asked = {True: [one for one in other if one.asked], False: [one for one in other if not one.asked]}
    own = [one for one in chosen if not one.asked and "seen" in one.quality]
    sections = {
        "weights": ", ".join(f"{name} {weight:g}" for name, weight in WEIGHTS.items()),
        "fitted": _weights(fit(own)) if own else "-",
        "errors": _errors([one for one in other if "seen" in one.quality and not one.asked]),
        "threshold": f"{threshold:g}",
        "labelers_chosen": labeler_table(chosen, threshold),
        "labelers": labeler_table(other, threshold),
        "learned": pooled_row("labelers with a network", asked[True], threshold) if asked[True] else "-",
        "sequences": sequence_table([one for one in chosen + other if one.labeler in _SHOWN], threshold),
        "thresholds": threshold_table(asked[False]),
        "thresholds_learned": threshold_table(asked[True]) if asked[True] else "-",
        "calibration": calibration_table(asked[True]) if asked[True] else "-",
    }
    panels = {"labelers alone": asked[False], "with a network": asked[True]}
    picture = calibration_png({title: groups for title, groups in panels.items() if groups}, threshold)
    write_atomically(docs / "believability.png", picture)
    page = _TEMPLATE.read_text("utf-8").format(**sections)
    write_atomically(docs / "believability.md", page.encode())
    click.echo(f"page: {docs / 'believability.md'}")


_SHOWN = ("egoflow-cut", "egoflow-cut-student", "boxbg", "boxbg-student")


def _halves(data: Path, out: Path, made_only: bool) -> tuple[list[Judged], list[Judged]]:
    """Boxes of every second sequence of each table, in the order of their names, and those of the others."""
    halves: tuple[list[Judged], list[Judged]] = ([], [])
    for name, labelers in RUNS.items():
        runs = [(each, labeler) for labeler in labelers for each in TABLES[name].data]
        found = [one for run in runs for one in judge(data, out, *run, made_only=made_only)]
        names = sorted({one.sequence for one in found})
        for one in found:
            halves[names.index(one.sequence) % 2].append(one)
    return halves


def _weights(weights: dict[str, float]) -> str:
    return ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())


def _errors(groups: list[Judged]) -> str:
    """Error of the shipped weights, and of the same without seen and flooded."""
    if not groups:
        return "-"
    without = {**WEIGHTS, "seen": 0.0, "flooded": 0.0}
    return f"{mean_error(groups, WEIGHTS):.4f}, without seen and flooded {mean_error(groups, without):.4f}"


if __name__ == "__main__":
    main()

"""``spotlabel evaluate coco``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from spotlabel.detector.evaluation.coco import report as coco_report
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.terminal import echo, echo_lines, escape


@click.command("coco")
@click.option("--truth", required=True, type=click.Path(path_type=Path), help="COCO annotations file (JSON).")
@click.option("--detections", required=True, type=click.Path(path_type=Path),
              help="COCO results file: a list of image_id, category_id, bbox and score.")  # fmt: skip
@click.option(
    "--class-agnostic", is_flag=True, help="Take all categories for one; category_id may be missing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path), metavar="OUT",
              help="Write report.json, report.md and curves.png here.")  # fmt: skip
def coco_command(
    truth: Path, detections: Path, class_agnostic: bool, as_json: bool, report_folder: Path | None
) -> None:
    """COCO: the twelve box figures of a results file, and AP per category (by pycocotools).

    \b
    Example:
      spotlabel evaluate coco --truth instances_val2017.json --detections results.json --report runs/report
    """
    result = coco_report.run_coco(truth, detections, class_agnostic)
    written = coco_report.write_report(result, report_folder) if report_folder else []
    if as_json:
        echo_lines(json.dumps(coco_report.as_data(result), indent=1))
        return
    shown = table("", "%", "", numbers=("%",))
    for row in coco_report.rows(result):
        shown.add_row(*row)
    categories = table("category", "AP", "AP50", "objects", numbers=("AP", "AP50", "objects"))
    for name, *cells in coco_report.category_rows(result):
        categories.add_row(escape(name), *cells)
    screen = console(sys.stdout)
    screen.print(shown)
    screen.print()
    screen.print(categories)
    for path in written:
        echo(f"wrote {path}")

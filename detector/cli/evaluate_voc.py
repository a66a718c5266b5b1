"""``spotlabel evaluate voc``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from spotlabel.detector.evaluation.voc import report
from spotlabel.detector.evaluation.voc.metrics import IOU
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.terminal import echo, echo_lines, escape


@click.command("voc")
@click.option("--truth", required=True, type=click.Path(path_type=Path),
              help="Folder of a year, with Annotations/ and ImageSets/Main/.")  # fmt: skip
@click.option("--split", required=True, help="List of pictures: ImageSets/Main/SPLIT.txt.")
@click.option("--detections", required=True, type=click.Path(path_type=Path),
              help="Folder of comp4_det_SPLIT_<class>.txt.")  # fmt: skip
@click.option("--iou", default=IOU, show_default=True, type=click.FloatRange(0, 1, min_open=True),
              help="Smallest overlap of a match.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path), metavar="OUT",
              help="Write report.json, report.md (with published figures), curves.png here.")  # fmt: skip
def voc_command(report_folder: Path | None, as_json: bool, **request: Any) -> None:
    """PASCAL VOC: AP per class and its mean, with 11 points (2007) and as an area (from 2010 on).

    Objects marked difficult are neither found nor missed; a second detection of an object is false.
    A line of a result file holds picture, score, x0, y0, x1, y1; the first pixel has the number 1.

    \b
    Example:
      spotlabel evaluate voc --truth VOCdevkit/VOC2007 --split test --detections results --report runs/report
    """
    result = report.run_voc(**request)
    written = report.write_report(result, report_folder) if report_folder else []
    if as_json:
        echo_lines(json.dumps(report.as_data(result), indent=1))
        return
    shown = table("class", *report.COLUMNS, numbers=report.COLUMNS)
    for name, *cells in report.rows(result):
        shown.add_row(escape(name), *cells)
    console(sys.stdout).print(shown)
    for path in written:
        echo(f"wrote {path}")

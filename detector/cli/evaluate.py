"""``spotlabel evaluate``: detections against ground truth, by the benchmarks' own rules."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from spotlabel.detector.cli.evaluate_attention import attention_command
from spotlabel.detector.cli.evaluate_boxes import boxes_command
from spotlabel.detector.cli.evaluate_coco import coco_command
from spotlabel.detector.cli.evaluate_voc import voc_command
from spotlabel.detector.evaluation.traffic import report
from spotlabel.detector.evaluation.traffic.benchmarks import Request, Result, run_detrac, run_uavdt
from spotlabel.detector.evaluation.traffic.subsets import read_list
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.terminal import echo, echo_lines, escape


def _named_lists(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, list[str]]:
    lists = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(f"expected NAME=FILE, like easy=testlist-easy.txt, found {text!r}")
        lists[name] = read_list(Path(path))
    return lists


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    folder = click.Path(path_type=Path)
    for option in (
        click.option("--report", "report_folder", type=folder, metavar="OUT",
                     help="Write report.json, report.md (beside the paper's table) and curves.png here."),
        click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
        click.option("--iou", default=0.7, show_default=True, type=click.FloatRange(0, 1, min_open=True),
                     help="Smallest overlap of a match."),
        click.option("--subset", "lists", multiple=True, metavar="NAME=FILE", callback=_named_lists,
                     help="Also pool the sequences that FILE lists, one a line; may be repeated."),
        click.option("--only", multiple=True, metavar="NAME", help="Only this sequence; may be repeated."),
        click.option("--detections", required=True, type=folder, help="Folder, one text file a sequence."),
        click.option("--truth", required=True, type=folder, help="Folder of the annotation files."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def evaluate() -> None:
    """Measure detections or attention maps by a benchmark's own rules."""


@evaluate.command("uavdt")
@_shared_options
@click.option("--attributes", type=click.Path(path_type=Path),
              help="Folder of *_attr.txt (M_attr); default: what the toolkit lists.")  # fmt: skip
def uavdt_command(report_folder: Path | None, as_json: bool, **request: Any) -> None:
    """UAVDT: rows of 9 columns in <sequence>.txt.

    AP overall, by sequence attribute (weather, altitude, view, length), on objects of one kind (category,
    occlusion, out-of-view) and per sequence.

    --truth is the benchmark's GT folder with <sequence>_gt_whole.txt and <sequence>_gt_ignore.txt.

    \b
    Example:
      spotlabel evaluate uavdt --truth UAV-benchmark-MOTD_v1.0/GT --detections results --report runs/report
    """
    _tell(run_uavdt(Request(**request)), report_folder, as_json)


@evaluate.command("ua-detrac")
@_shared_options
@click.option("--regions", type=click.Path(path_type=Path),
              help="Folder of *_IgR.txt; default: the ignored regions of the annotation files.")  # fmt: skip
@click.option("--drop-degenerate", is_flag=True,
              help="Leave out boxes without area; the benchmark's toolkit stops at them.")  # fmt: skip
def detrac_command(report_folder: Path | None, as_json: bool, **request: Any) -> None:
    """UA-DETRAC: rows of 7 columns in <sequence>.txt or <sequence>_Det_<detector>.txt.

    --truth is a folder of XML files. Subsets by weather come from these; the difficulty subsets from the
    list files of the benchmark's test package.

    \b
    Example:
      spotlabel evaluate ua-detrac --truth DETRAC-Test-Annotations-XML --detections results \\
        --subset easy=testlist-easy.txt --subset hard=testlist-hard.txt --report runs/report
    """
    _tell(run_detrac(Request(**request)), report_folder, as_json)


for command in (boxes_command, coco_command, voc_command, attention_command):
    evaluate.add_command(command)


def _tell(result: Result, folder: Path | None, as_json: bool) -> None:
    written = report.write_report(result, folder) if folder else []
    if as_json:
        echo_lines(json.dumps(report.as_data(result), indent=1))
        return
    shown = table("", "name", *report.COLUMNS, numbers=report.COLUMNS)
    for kind, name, curve in report.rows(result):
        shown.add_row(kind, escape(name), *report.cells(curve))
    console(sys.stdout).print(shown)
    for line in (*report.caveats(result), *(f"wrote {path}" for path in written)):
        echo(line)

"""``spotlabel evaluate boxes``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from spotlabel.detector.evaluation.boxes import report
from spotlabel.detector.evaluation.boxes.files import Rows
from spotlabel.detector.evaluation.boxes.run import BoxesResult, run_boxes
from spotlabel.detector.prediction.coco_ids import read_coco_ids
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.validation import nearest


@click.command("boxes")
@click.option("--detections", required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER",
              help="What `spotlabel detect --recipe` wrote; or <sequence>.txt (UA-DETRAC, UAVDT, MOT rows), "
              "<sequence>.json (COCO results) or <sequence>/comp4_det_*.txt (VOC).")  # fmt: skip
@click.option("--any-class", is_flag=True, help="Take all classes for one.")
@click.option("--rows", type=click.Choice(["ua-detrac", "uavdt", "mot"]),
              help="Whose rows text files hold; default: by the number of columns.")  # fmt: skip
@click.option("--coco-ids", type=click.Path(path_type=Path), metavar="FILE",
              help="COCO annotations whose image and category ids the detections use.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path), metavar="OUT",
              help="Write report.json, report.md and curves.png here.")  # fmt: skip
@recipe_options
def boxes_command(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    coco_ids: Path | None,
    rows: Rows | None,
    as_json: bool,
    report_folder: Path | None,
    **request: Any,
) -> None:
    """A recipe's own boxes: COCO's figures and AP at IoU 0.5, 0.7 and 0.75, by class.

    Frames that were not annotated are left out, and detections in ignore regions that find no object.
    Sequences without detections count as not found; rows of text name no class, so all are taken for one.

    \b
    Example:
      spotlabel evaluate boxes gate.yaml --detections out/detections --report runs/report
    """
    loaded = load_recipe(recipe, overrides)
    if loaded.stills:
        raise RecipeError("evaluate boxes is about videos, the recipe is about stills (evaluate coco, voc)")
    sequences = loaded.sequences()
    names = [sequence.name for sequence in sequences]
    for name in only:
        if name not in names:
            raise RecipeError(f"--only {name}: no such sequence; {nearest(name, names)}")
    ids = read_coco_ids(coco_ids) if coco_ids else None
    result = run_boxes(sequences, only=only, ids=ids, rows=rows, **request)
    written = report.write_report(result, report_folder) if report_folder else []
    if as_json:
        echo_lines(json.dumps(report.as_data(result), indent=1))
        return
    _show(result)
    for line in (*report.notes(result), *(f"wrote {path}" for path in written)):
        echo(line)


def _show(result: BoxesResult) -> None:
    screen = console(sys.stdout)
    figures = table("", "%", "", numbers=("%",))
    for row in report.rows(result):
        figures.add_row(*row)
    classes = table("class", *report.CLASS_COLUMNS, numbers=report.CLASS_COLUMNS)
    for name, *cells in report.class_rows(result):
        classes.add_row(escape(name), *cells)
    sequences = table("sequence", *report.SEQUENCE_COLUMNS, numbers=report.SEQUENCE_COLUMNS)
    for name, *cells in report.sequence_rows(result):
        sequences.add_row(escape(name), *cells)
    for shown in (figures, classes, sequences):
        screen.print(shown)
        screen.print()

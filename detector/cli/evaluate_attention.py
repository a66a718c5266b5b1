"""``spotlabel evaluate attention``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from spotlabel.detector.evaluation.attention import report as attention_report
from spotlabel.detector.evaluation.attention.maps import THRESHOLD
from spotlabel.detector.evaluation.attention.run import AttentionResult, run_attention
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.terminal import echo, echo_lines, escape


@click.command("attention")
@click.option("--truth", required=True, type=click.Path(path_type=Path),
              help="CDnet root, category or sequence folder.")  # fmt: skip
@click.option("--maps", required=True, type=click.Path(path_type=Path),
              help="Folder with in000001.png... (8-bit grey) in a folder per sequence.")  # fmt: skip
@click.option("--threshold", "thresholds", multiple=True, type=click.FloatRange(0, 1), default=(THRESHOLD,),
              show_default=True, help="Attention above this is foreground; may be repeated.")  # fmt: skip
@click.option("--whole-maps", is_flag=True,
              help="Do not cut maps to the boxes.json beside them, as the paper's table does.")  # fmt: skip
@click.option("--sweep", is_flag=True, help="Also print F over the threshold.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this sequence; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path), metavar="OUT",
              help="Write report.json, report.md and curves.png here.")  # fmt: skip
def attention_command(*, sweep: bool, as_json: bool, report_folder: Path | None, **request: Any) -> None:
    """CDnet: F-measure of attention maps cut at a threshold, per video and on the mean.

    Maps are 8-bit images, 0 for the least and 255 for the most attention of the frame. The benchmark's region
    of interest and frame range apply; shadows are background, unknown pixels do not count. Where boxes.json
    lies beside the maps (`spotlabel detect --attention` writes it), what is outside of the detected boxes is
    background, as in the SpotNet paper's table III.

    \b
    Example:
      spotlabel evaluate attention --truth CDnet2014 --maps runs/attention --sweep --report runs/report
    """
    result = run_attention(**request)
    written = attention_report.write_report(result, report_folder) if report_folder else []
    if as_json:
        echo_lines(json.dumps(attention_report.as_data(result), indent=1))
        return
    _show(result, sweep)
    for path in written:
        echo(f"wrote {path}")


def _show(result: AttentionResult, sweep: bool) -> None:
    screen = console(sys.stdout)
    shown = table("video", *attention_report.COLUMNS, numbers=attention_report.COLUMNS)
    for name, *cells in attention_report.rows(result):
        shown.add_row(escape(name), *cells)
    screen.print(shown)
    if sweep:
        columns = ("mean F", *map(escape, result.videos))
        swept = table("threshold", *columns, numbers=columns)
        for row in attention_report.sweep_rows(result):
            swept.add_row(*row)
        screen.print()
        screen.print(swept)
        echo(f"highest mean F at {attention_report.best(result):.2f}")
    for line in attention_report.caveats(result):
        echo(line)
    if result.missing:
        echo(f"without maps: {', '.join(result.missing)}")

"""``python -m benchmarks.reproduce``: label, train, detect, measure, and print a table beside the paper's."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from benchmarks.reproduce.beside import beside
from benchmarks.reproduce.steps import Command, Given, ReproduceError, commands
from benchmarks.reproduce.tables import TABLES

STDERR = 2
"""What the commands print goes there: the table alone is printed as output."""
PROGRAM = [sys.executable, "-c", "from spotlabel.pipeline.cli import main; main()"]


@click.command()
@click.argument("table", type=click.Choice([*TABLES]))
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder of the benchmark's data."
)
@click.option("--out", type=click.Path(path_type=Path), help="Where everything goes.  [default: runs/TABLE]")
@click.option("--init", default="", metavar="FILE", help="Weights that the first networks start from.")
@click.option("--model", type=click.Path(path_type=Path), help="A detector in place of a training (CDnet).")
@click.option("--set", "training", multiple=True, metavar="KEY=VALUE",
              help="Change a value in every training, like training.bf16=true; may be repeated.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--jobs", default=1, show_default=True, help="Videos labelled at a time.")
@click.option("--dry-run", is_flag=True, help="Print the commands.")
def main(table: str, out: Path | None, dry_run: bool, **given: Any) -> None:
    """Make a table of a paper anew. What is done already is kept; the same command goes on.

    \b
    Examples:
      python -m benchmarks.reproduce als-voc07 --data /data --dry-run
      python -m benchmarks.reproduce spotnet-uavdt --data /data/UAVDT --init ctdet_coco_hg.pth --jobs 16
    """
    chosen, brought = TABLES[table], Given(out=out or Path("runs") / table, **given)
    try:
        steps = list(commands(chosen, brought))
    except ReproduceError as error:
        raise click.UsageError(str(error)) from error
    if dry_run:
        for step in steps:
            click.echo(shlex.join(["spotlabel", *step]))
        return
    if chosen.init and not brought.init:
        click.echo(f"without --init: {chosen.init}; the figures will be others", err=True)
    for step in steps:
        _run(step)
    text = beside(chosen, brought)
    (brought.out / "table.md").write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


def _run(step: Command) -> None:
    click.echo(shlex.join(["spotlabel", *step]), err=True)
    ran = subprocess.run([*PROGRAM, *step], stdout=STDERR, check=False)
    if ran.returncode:
        click.echo(f"spotlabel {step[0]} failed; the same command goes on from here", err=True)
        sys.exit(ran.returncode)


if __name__ == "__main__":
    main()

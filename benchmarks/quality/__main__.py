"""Measure every labeler against pixel ground truth and write the tables: ``make quality``.

    python -m benchmarks.quality DATA [--out runs/quality] [--table docs/quality.md] [--only fixed boxbg]

DATA holds ``cdnet``, ``sbi``, ``davis`` and ``extra``; some scenes are rendered. Stores are kept, so that a
run that was cut off goes on, and a second run only compares.
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.quality.measured import Measured, measured
from benchmarks.quality.report import table
from benchmarks.quality.tables import TABLES, TAUGHT
from spotlabel.pipeline.atomic import write_atomically

_TEMPLATE = Path(__file__).with_name("page.md")
"""The words of the page around its tables."""
TEACHER = Path("models/u2net.onnx")
"""Where preset learned looks for its network."""
LABELERS = sorted({method.labeler for each in TABLES.values() for method in each.methods})


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/quality"), show_default=True)
@click.option("--table", "page_file", type=click.Path(path_type=Path), default=Path("docs/quality.md"))
@click.option("--only", multiple=True, metavar="TABLE|LABELER", type=click.Choice([*TABLES, *LABELERS]),
              help="Only these tables or labelers; prints, writes no page.")  # fmt: skip
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=1, show_default=True)
def main(data: Path, out: Path, page_file: Path, only: tuple[str, ...], jobs: int) -> None:
    """Label what is not yet labelled, compare, write the page."""
    tables = {name for name in TABLES if name in only} or set(TABLES)
    labelers = {name for name in LABELERS if name in only} or set(_possible())
    sections = {name: _section(name, labelers, data, out, jobs) for name in TABLES if name in tables}
    if only:
        for name, text in sections.items():
            click.echo(f"\n{name}\n\n{text}")
    else:
        write_atomically(page_file, _TEMPLATE.read_text("utf-8").format(**sections).encode())
        click.echo(f"page: {page_file}")


def _possible() -> list[str]:
    """Labelers that can be run here; says in a line which cannot, and how to mend it."""
    if TEACHER.is_file():
        return LABELERS
    click.echo(f"{TEACHER}: no such file (make teacher gets it): no column of preset learned", err=True)
    return [name for name in LABELERS if name not in TAUGHT]


def _section(name: str, labelers: set[str], data: Path, out: Path, jobs: int) -> str:
    """One table, of the columns that are made by these labelers."""
    columns: dict[str, list[Measured]] = {}
    for method in TABLES[name].methods:
        if method.labeler in labelers:
            found = (measured(data, out, dataset, method, jobs) for dataset in TABLES[name].data)
            columns[method.title] = [row for rows in found for row in rows]
    return table(columns, TABLES[name].figure)


if __name__ == "__main__":
    main()

"""A table with our rows among the paper's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.reproduce.steps import Given
from benchmarks.reproduce.tables import Kind, Table
from spotlabel.detector.evaluation.output import markdown_table


def beside(table: Table, given: Given) -> str:
    """The table as Markdown: ours in bold, then the paper's; a dash where there is no figure.

    Raises:
        OSError: a report is not there.
    """
    names = {network.name: network.title for network in table.networks} or {"spotnet": "SpotNet"}
    rows = []
    for name, title in names.items():
        figures = ours(table, given.report(name))
        rows.append((f"**{title}, here**", *(f"**{_shown(figure, table.kind)}**" for figure in figures)))
    for method, figures in table.published.items():
        rows.append((method, *(_shown(figure, table.kind) for figure in figures)))
    return "\n".join([f"# {table.title}", "", *markdown_table(("method", *table.columns), rows), ""])


def ours(table: Table, report: Path) -> list[float | None]:
    """Figures of a benchmark's report, in the order of the table's columns; None where there is none."""
    found = _figures(table.kind, json.loads((report / "report.json").read_bytes()))
    return [found.get(column) for column in table.columns]


def _figures(kind: Kind, data: Any) -> Mapping[str, float | None]:
    if kind == "voc":
        return dict(data["mean"])
    if kind == "coco":
        return dict(data["figures"])
    if kind == "cdnet":
        return {"F": data["mean"][0]["f"]}
    subsets = {name: figures["ap"] for name, figures in data.get("subset", {}).items()}
    return {"overall": data["overall"]["ap"], **subsets}


def _shown(figure: float | None, kind: Kind) -> str:
    if figure is None:
        return "-"
    return f"{figure:.3f}" if kind == "cdnet" else f"{figure:.1f}"

"""The results of all parts on one Markdown page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu.parts import PARTS


def page(host: Mapping[str, object], results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page.

    Args:
        host: facts of the machine by name.
        results: what :class:`benchmarks.gpu.setting.Record` wrote, by part.
    """
    lines = ["# On a GPU", "", *(f"- {name}: {value}" for name, value in host.items())]
    for part in PARTS:
        if part.name in results:
            lines += ["", f"## {part.title}", "", *_section(results[part.name])]
    return "\n".join(lines) + "\n"


def _section(result: Mapping[str, Any]) -> list[str]:
    lines = [f"{result['state']}, {result.get('seconds', 0)} s"]
    lines += [f"- {name}: {_text(value)}" for name, value in result.get("facts", {}).items()]
    for title, rows in result.get("tables", {}).items():
        lines += ["", f"{title}:", "", *_table(rows)]
    if "error" in result:
        lines += ["", "```", result["error"].rstrip(), "```"]
    return lines


def _table(rows: list[dict[str, object]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    body = [[_text(row.get(name, "")) for name in columns] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *body)]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("\n", " ").replace("|", "/")

"""What every report is made of: three files, tables in Markdown, figures as PNG."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spotlabel.detector.evaluation.average_precision import EvaluationError
from spotlabel.pipeline.atomic import write_atomically


def write_files(folder: Path, data: dict[str, Any], text: str, plot: bytes) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``curves.png``; each stands there whole or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "report.json": (json.dumps(data, indent=1) + "\n").encode(),
        "report.md": text.encode(),
        "curves.png": plot,
    }
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def markdown_table(head: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a table in Markdown."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (head, ("---",) * len(head), *body)]
    return [f"| {' | '.join(row)} |" for row in escaped]


def new_figure() -> Any:
    """An empty matplotlib figure.

    Raises:
        EvaluationError: matplotlib is not installed.
    """
    try:
        figures = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise EvaluationError(
            f"plots need matplotlib, which cannot be imported: {error} (pip install spotlabel[train])"
        ) from error
    return figures.Figure(figsize=(8, 5), dpi=120, layout="constrained")


def png(figure: Any) -> bytes:
    """The figure as PNG; without date and version of the library, so that equal results give equal files."""
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()

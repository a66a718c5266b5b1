"""Comparisons as files: the figures as JSON, one row per box and per frame as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import clear_folder, replacing, write_atomically
from spotlabel.pipeline.compare.figures import BOX_COLUMNS, FRAME_COLUMNS, box_rows, figures, frame_rows
from spotlabel.pipeline.compare.stores import Comparison
from spotlabel.pipeline.text import csv_cell

POOLED = "all"
"""Name of the figures over all videos."""


def report_data(parts: Sequence[Comparison], facts: dict[str, Any]) -> dict[str, Any]:
    """What ``compare.json`` holds: the facts, the figures of each video, and those of all together."""
    return {
        **facts,
        "sequences": [figures(part.sequence, [part]).as_data() for part in parts],
        "pooled": figures(POOLED, parts).as_data(),
    }


def write_report(folder: Path, parts: Sequence[Comparison], data: dict[str, Any]) -> list[Path]:
    """Write ``compare.json``, ``boxes.csv`` and ``frames.csv``; each stands there whole or not at all.

    What a killed comparison has left in the folder is cleared first. Names in the tables that a spreadsheet
    would take for a formula stand behind a ``'``.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clear_folder(folder)
    json_path, boxes, frames = (folder / name for name in ("compare.json", "boxes.csv", "frames.csv"))
    write_atomically(json_path, (json.dumps(data, indent=1) + "\n").encode())
    _write_csv(boxes, BOX_COLUMNS, (row for part in parts for row in box_rows(part)))
    _write_csv(frames, FRAME_COLUMNS, (row for part in parts for row in frame_rows(part)))
    return [json_path, boxes, frames]


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Row by row: a dataset has a million boxes."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(csv_cell, row) for row in rows)
        text.detach()  # flushes, and leaves the file open

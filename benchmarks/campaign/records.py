"""Lines of full counts, kept per family, so that one family can be tried again without the others."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from benchmarks.campaign.result import Result
from spotlabel.pipeline.atomic import write_atomically


def save(folder: Path, family: str, results: list[Result]) -> None:
    """Keep the lines of a family in place of earlier ones."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps([dataclasses.asdict(result) for result in results], indent=1)
    write_atomically(folder / f"{family}.json", content.encode())


def load(folder: Path, family: str) -> list[Result] | None:
    """The lines of a family; None if it was never tried."""
    try:
        entries = json.loads((folder / f"{family}.json").read_bytes())
    except FileNotFoundError:
        return None
    return [Result(**{**entry, "problems": tuple(entry["problems"])}) for entry in entries]

"""Whether a clip's results are there already: what they were made from stands beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.names import file_stem

VERSION = 1
"""Rises when the same images and options would give other results."""

NOTHING_YET = "nothing here yet"


def record_path(out: Path, clip: str) -> Path:
    """File that tells what a clip's results were made from."""
    return out / ".made" / f"{file_stem(clip)}.json"


def what_differs(out: Path, clip: str, wanted: Mapping[str, Any]) -> str:
    """Why a clip has to be looked at (again); empty if its results are whole and up to date.

    Args:
        out: root folder of the results.
        clip: the clip's name.
        wanted: plain data, what results depend on, by part.
    """
    try:
        made = json.loads(record_path(out, clip).read_bytes())
        files, found = [out / name for name in made["files"]], dict(made["from"])
    except FileNotFoundError:
        return NOTHING_YET
    except (OSError, ValueError, LookupError, TypeError):
        return "its record cannot be read"
    missing = [file for file in files if not file.exists()]
    if missing:
        return f"{missing[0]} has gone"
    expected = json.loads(json.dumps({"version": VERSION, **wanted}))
    differing = sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))
    return f"made with other {', '.join(differing)}" if differing else ""


def remember(out: Path, clip: str, wanted: Mapping[str, Any], files: list[Path]) -> None:
    """Note that the files of a clip, below ``out``, are whole; called when they are."""
    path = record_path(out, clip)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [str(file.relative_to(out)) for file in files]
    content = {"files": names, "from": {"version": VERSION, **wanted}}
    write_atomically(path, json.dumps(content, indent=1).encode())


def forget(out: Path, clip: str) -> list[Path]:
    """Take the note back, before files of the clip are replaced; the files it named that are there."""
    path = record_path(out, clip)
    try:
        named = [out / name for name in json.loads(path.read_bytes())["files"]]
    except (OSError, ValueError, LookupError, TypeError):
        named = []
    path.unlink(missing_ok=True)
    # A record is no reason to touch what lies elsewhere.
    return [file for file in named if file.resolve().is_relative_to(out.resolve()) and file.is_file()]

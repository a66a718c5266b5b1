"""Training and evaluation that stand in the output folder: their curves, as their own files tell them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from spotlabel.pipeline.errors import one_sentence
from spotlabel.pipeline.pages.report.against import FORMAT
from spotlabel.pipeline.regular import regular_bytes

MOST_POINTS = 200
"""Points of a curve; of more steps the means of as many stretches are shown."""
MOST_BYTES = 1 << 26
_STEP_ONLY = ("kind", "step")
_KINDS = {"train": "training", "held_out": "evaluation on held-out videos"}
MOST_FIGURES = 60


@dataclass(frozen=True)
class Curve:
    """One figure over the steps of a run.

    Attributes:
        kind: ``training`` or ``evaluation on held-out videos``.
        name: of the figure.
        points: step and value, rising in step.
    """

    kind: str
    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Run:
    """What a training or an evaluation has left behind.

    Attributes:
        name: its folder, relative to the output folder.
        curves: of a training run.
        figures: of an evaluation, by dotted name.
        picture: ``curves.png`` of an evaluation; empty if there is none.
        problem: why it cannot be shown, in a line; empty if it can.
        lacking: bytes that a picture takes for which there was no room; 0 if it is shown, or there is none.
    """

    name: str
    curves: tuple[Curve, ...] = ()
    figures: Mapping[str, float | str] | None = None
    picture: bytes = b""
    problem: str = ""
    lacking: int = 0

    def as_data(self) -> dict[str, Any]:
        """As plain data, without the picture."""
        curves = [
            {"kind": c.kind, "name": c.name, "points": [list(p) for p in c.points]} for c in self.curves
        ]
        return {"name": self.name, "curves": curves, "figures": self.figures, "problem": self.problem}


def runs_in(out: Path) -> list[Run]:
    """Runs below an output folder, by name: ``training/*/metrics.jsonl`` and ``*/report.json``.

    A file that cannot be used is told in its run's ``problem``.
    """
    found = [_told(path, out, _training) for path in sorted(out.glob("training/*/metrics.jsonl"))]
    found += [_told(path, out, _evaluation) for path in sorted(out.glob("*/report.json"))]
    return [run for run in found if run is not None]


def with_room(runs: Sequence[Run], room: int) -> list[Run]:
    """The runs, the first ones with their pictures as long as these have room in so many bytes."""
    kept = []
    for run in runs:
        length = 4 * -(-len(run.picture) // 3)  # in base64
        room -= length
        kept.append(run if room >= 0 or not length else replace(run, picture=b"", lacking=length))
    return kept


def _told(path: Path, out: Path, read: Callable[[str, Path], Run | None]) -> Run | None:
    name = path.parent.relative_to(out).as_posix()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES >> 20} MiB")
        return read(name, path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        return Run(name, problem=f"{path.name} cannot be used: {one_sentence(error)}")


def _training(name: str, path: Path) -> Run:
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for entry in _entries(path):
        kind, step = str(entry["kind"]), float(entry["step"])
        if not math.isfinite(step):
            raise ValueError(f"step {step} is not a number of steps")
        for key, value in entry.items():
            if key in _STEP_ONLY or value is None or isinstance(value, (str, bool)):
                continue
            if math.isfinite(float(value)):
                points.setdefault((_KINDS.get(kind, kind), key), []).append((step, float(value)))
    curves = [
        Curve(kind, key, _thinned(found)) for (kind, key), found in points.items() if key not in ("epoch",)
    ]
    return Run(name, curves=tuple(curves))


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines of a log; a last one that is being written is left out."""
    *lines, _cut = regular_bytes(path).decode("utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        entry = json.loads(line)
        if not isinstance(entry, dict) or not {"kind", "step"} <= entry.keys():
            raise ValueError(f"line {number} is not a line of metrics")
        yield entry


def _thinned(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Rising in step; means of neighbours where there are more points than can be seen."""
    points = sorted(points)
    parts = min(len(points), MOST_POINTS)
    edges = [k * len(points) // parts for k in range(parts + 1)]
    groups = [points[low:high] for low, high in pairwise(edges)]
    return tuple(
        (
            math.fsum(step for step, _ in group) / len(group),
            math.fsum(value for _, value in group) / len(group),
        )
        for group in groups
    )


def _evaluation(name: str, path: Path) -> Run | None:
    """An evaluation; None for a report like this one, which has the same name."""
    data = json.loads(regular_bytes(path))
    if not isinstance(data, dict):
        raise ValueError("expected a JSON object")
    if data.get("format") == FORMAT:
        return None
    leaves = dict(_leaves({key: value for key, value in data.items() if key != "published"}))
    figures = dict(list(leaves.items())[:MOST_FIGURES])
    picture = path.with_name("curves.png")
    content = regular_bytes(picture) if picture.is_file() and picture.stat().st_size < MOST_BYTES else b""
    return Run(name, figures=figures, picture=content if content.startswith(b"\x89PNG") else b"")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, float | str]]:
    """Every number and text of a tree, lists left out, by dotted name."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{name}.{key}" if name else str(key))
    elif isinstance(value, str) or (_is_number(value) and math.isfinite(value)):
        yield name, value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

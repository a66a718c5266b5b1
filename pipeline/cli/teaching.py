"""What would be taught, in words: for dry runs, ``status`` and ``plan``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from spotlabel.pipeline.cli.options import table
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.asking import U2NET
from spotlabel.pipeline.stages.students_ahead import StudentAhead, students_ahead
from spotlabel.pipeline.terminal import escape
from spotlabel.pipeline.units import clock
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Plan


def ahead_of(recipe: Recipe, plans: Iterable[Plan]) -> list[StudentAhead]:
    """The students that have to be taught before what is planned can be done."""
    wanted = [plan.item for plan in plans if not plan.problem and plan.evidence.state != State.FRESH]
    return students_ahead(recipe, wanted)


def bounds(ahead: list[StudentAhead]) -> list[str]:
    """A line that says how much would be taught at most, without a look into annotations; none if nothing."""
    if not ahead:
        return []
    boxes, seconds = sum(one.most for one in ahead), sum(one.longest for one in ahead)
    told = _about(seconds, (one.asking.network for one in ahead))
    return [f"{_students(len(ahead))} to teach: at most {boxes:,} boxes asked, {told}"]


def rows(recipe: Recipe, ahead: list[StudentAhead]) -> list[dict[str, Any]]:
    """Of each student what it is taught on: boxes that are asked about, those answered before, CPU seconds.

    Where the annotations of one cannot be read, ``problem`` says so in place of the numbers.
    """
    found = []
    for one in ahead:
        row: dict[str, Any] = {
            "student": str(one.path),
            "videos": [item.sequence.name for item in one.items],
            "network": one.asking.network,
        }
        try:
            boxes, known, seconds = one.asked(recipe)
        except (SpotlabelError, OSError) as error:
            found.append({**row, "problem": str(error)})
            continue
        found.append({**row, "boxes": boxes, "answered": known, "seconds": round(seconds)})
    return found


def totals(found: list[dict[str, Any]]) -> list[str]:
    """All such rows in a line, and a line for each problem."""
    lines = [f"{row['student']}: {row['problem']}" for row in found if "problem" in row]
    told = [row for row in found if "problem" not in row]
    if told:
        boxes, known, seconds = (sum(row[key] for row in told) for key in ("boxes", "answered", "seconds"))
        before = f", {known:,} more answered before" if known else ""
        about = _about(seconds, (row["network"] for row in told))
        lines.append(f"{_students(len(told))} to teach: {boxes - known:,} boxes to ask{before}, {about}")
    return lines


def as_table(found: list[dict[str, Any]]) -> Table:
    """Such rows as a table."""
    numbers = ("videos", "boxes", "answered before", "CPU time")
    shown = table("student", *numbers, numbers=numbers)
    for row in found:
        told = ("", "", "") if "problem" in row else (
            f"{row['boxes']:,}", f"{row['answered']:,}", clock(row["seconds"])
        )  # fmt: skip
        shown.add_row(escape(row["student"]), str(len(row["videos"])), *told)
    return shown


def _students(number: int) -> str:
    return f"{number} student{'s' * (number != 1)}"


def _about(seconds: float, networks: Iterable[str]) -> str:
    by_weights = sorted({*networks} - {U2NET.network})
    which = f"{' and '.join(by_weights)}, told by the size of its weights" if by_weights else U2NET.network
    return f"about {clock(seconds)} of one core with {which}, what the other labeler takes aside"
